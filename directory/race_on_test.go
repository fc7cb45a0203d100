//go:build race

package directory

// raced says that the race detector is on, which makes everything slow and every
// allocation larger.
const raced = true
