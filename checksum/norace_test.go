//go:build !race

package checksum_test

const stride = 1
