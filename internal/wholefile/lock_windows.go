package wholefile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the file for this File alone, until it is closed. The locked byte
// is beyond the end of any file, because a lock on Windows also prevents reading.
func lock(f *os.File) error {
	at := windows.Overlapped{Offset: ^uint32(0), OffsetHigh: 1<<31 - 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrBusy
	}
	return err
}
