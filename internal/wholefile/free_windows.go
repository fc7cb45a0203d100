package wholefile

import (
	"os"

	"golang.org/x/sys/windows"
)

// Free is how many bytes this user can still write to the disk that root is on. known is
// false if the system does not tell.
func Free(root *os.Root) (n int64, known bool) {
	name, err := windows.UTF16PtrFromString(root.Name())
	if err != nil {
		return 0, false
	}
	var free uint64
	if windows.GetDiskFreeSpaceEx(name, &free, nil, nil) != nil {
		return 0, false
	}
	return int64(min(free, 1<<62)), true
}
