package wholefile

import (
	"fmt"
	"io/fs"
	"os"
)

// CheckTaken says why name cannot be given to a file, before any of it is there: it is
// taken, and not to be replaced, or by something that is no file, such as a device or a
// link. The error is an fs.ErrExist. name may have directories.
func CheckTaken(root *os.Root, name string, replace bool) error {
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return nil // what is wrong with it, if anything, shows when it is made
	case !replace:
		return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "create", Path: name, Err: fmt.Errorf("not a regular file: %w", fs.ErrExist)}
	}
	return nil
}
