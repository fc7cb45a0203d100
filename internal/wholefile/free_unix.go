//go:build darwin || linux

package wholefile

import (
	"os"
	"syscall"
)

// Free is how many bytes this user can still write to the disk that root is on. known is
// false if the system does not tell.
func Free(root *os.Root) (n int64, known bool) {
	d, err := root.Open(".")
	if err != nil {
		return 0, false
	}
	defer d.Close()
	var s syscall.Statfs_t
	if syscall.Fstatfs(int(d.Fd()), &s) != nil || s.Blocks == 0 {
		return 0, false // Blocks is 0 where a file system has no limit of its own
	}
	return int64(min(s.Bavail, 1<<62/uint64(s.Bsize))) * int64(s.Bsize), true
}
