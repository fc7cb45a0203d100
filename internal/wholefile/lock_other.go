//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package wholefile

import "os"

// lock does nothing: the system has no locks that the standard library knows.
func lock(*os.File) error { return errNoLocks }
