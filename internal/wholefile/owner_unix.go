//go:build unix

package wholefile

import (
	"io/fs"
	"os"
	"syscall"
)

// chown gives file the owner and the group of another one, or at least the group. It
// reports whether file has that group now.
func chown(file *os.File, like fs.FileInfo) bool {
	want, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	have, ok := info.Sys().(*syscall.Stat_t)
	if ok && have.Uid == want.Uid && have.Gid == want.Gid {
		return true
	}
	if file.Chown(int(want.Uid), int(want.Gid)) == nil {
		return true
	}
	return ok && have.Gid == want.Gid || file.Chown(-1, int(want.Gid)) == nil
}

// links is how many names a file has.
func links(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink)
	}
	return 1
}
