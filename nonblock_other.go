//go:build !unix

package ferry

// nonblock is nothing: there are no named pipes among the files of a directory.
const nonblock = 0
