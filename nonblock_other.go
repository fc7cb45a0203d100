//go:build !unix

package ferry

// nonblock is nothing: there are no named pipes among the files of a directory.
const nonblock = 0

// releasePipe does nothing, for the same reason.
func releasePipe(string) (stop func()) { return func() {} }
