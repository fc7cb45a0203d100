package wholefile

import (
	"fmt"
	"io/fs"
	"os"
)

// CheckTaken returns an error if name exists and a file may not take its place: replace is
// false, or name is not a regular file. The error is an fs.ErrExist. name may have
// directories.
func CheckTaken(root *os.Root, name string, replace bool) error {
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return nil // creating the file returns other errors
	case !replace:
		return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "create", Path: name, Err: fmt.Errorf("not a regular file: %w", fs.ErrExist)}
	}
	return nil
}
