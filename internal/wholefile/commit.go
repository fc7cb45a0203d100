package wholefile

import (
	"errors"
	"io/fs"
	"runtime"
	"syscall"
)

// Commit gives the file its name: it is written to the disk, renamed, closed, and the
// directory is written to the disk. Where something has the name already it is replaced
// if replace is true, and otherwise stays, and the error is an fs.ErrExist.
//
// After an error the temporary file is gone and the name is what it was, with one
// exception: if only the directory could not be written to the disk, the file is there,
// whole, and may not survive a crash of the machine. A File to which a write has failed
// is never committed: Commit returns that error.
//
// Without replace the check and the naming are one step where the file system has hard
// links. Where it has none (FAT, some network file systems) there are two, and a file
// that another process makes in the microseconds between them is replaced.
func (f *File) Commit(replace bool) error {
	if f.done {
		return fs.ErrClosed
	}
	if err := f.failure(); err != nil {
		return errors.Join(err, f.Abort())
	}
	if f.target != nil {
		return f.overwrite()
	}
	f.restrict()
	if replace {
		f.inherit()
	}
	if err := f.file.Sync(); err != nil {
		return errors.Join(err, f.Abort())
	}
	if err := f.intact(); err != nil {
		return errors.Join(err, f.Abort())
	}
	f.done = true
	// The file stays open, and after Resume locked, so that no other process resumes the
	// temporary file.
	if err := f.rename(replace); err != nil {
		return errors.Join(err, f.remove(), f.file.Close())
	}
	// The contents are synced. An error of Close would say nothing about them.
	_ = f.file.Close()
	return syncDir(f.dir)
}

// errReplaced: somebody else put something under the name of the temporary file.
var errReplaced = errors.New("the temporary file was replaced")

// intact makes sure that the temporary name still stands for the file that was written.
func (f *File) intact() error {
	_, same, err := stillThere(f.dir, f.file, f.temp)
	if err == nil && !same {
		err = &fs.PathError{Op: "rename", Path: f.temp, Err: errReplaced}
	}
	return err
}

// inherit gives the file the permissions and, where permitted, the owner of the file that
// it replaces. If it cannot have that file's group, the group gets no more than others
// get. Where none of that can be done the file keeps the permissions that it has, which
// are not wider, see permissions.
func (f *File) inherit() {
	old, err := f.dir.Lstat(f.name)
	if err != nil || !old.Mode().IsRegular() {
		return
	}
	perm := old.Mode().Perm()
	if !chown(f.file, old) {
		perm &^= 0o070 &^ (perm & 0o007 << 3)
	}
	_ = f.file.Chmod(perm)
}

// restrict takes away the permissions that only the temporary file needed. Where that
// fails the file system has no permissions: those of a new file would not count either.
func (f *File) restrict() {
	if info, err := f.file.Stat(); err == nil && info.Mode()&f.surplus != 0 {
		_ = f.file.Chmod(info.Mode().Perm() &^ f.surplus)
	}
}

// rename moves the temporary file to its name.
func (f *File) rename(replace bool) error {
	if replace {
		return f.dir.Rename(f.temp, f.name)
	}
	err := f.dir.Link(f.temp, f.name)
	if err == nil {
		// It has its name. If the other one cannot be removed it is the same file.
		_ = f.remove()
		return nil
	}
	// The name is taken, or the file system has no hard links. For other reasons Rename
	// fails as well.
	if _, err := f.dir.Lstat(f.name); err == nil {
		return &fs.PathError{Op: "rename", Path: f.name, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.dir.Rename(f.temp, f.name)
}

// Abort removes the temporary file. It does nothing after Commit or another Abort, so
// that it can be deferred.
func (f *File) Abort() error {
	if f.done {
		return nil
	}
	f.done = true
	if f.target != nil {
		return errors.Join(f.discard(), f.target.Close())
	}
	return errors.Join(f.remove(), f.file.Close())
}

// remove removes the temporary file if it still exists.
func (f *File) remove() error {
	err := f.dir.Remove(f.temp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// syncDir writes the directory's entries to the disk, where that can be asked for.
func syncDir(dir directory) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := dir.Open(".")
	if err != nil {
		// A directory may be writable and not readable.
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		return err
	}
	defer d.Close()
	err = d.Sync()
	// Some file systems have no such thing.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
