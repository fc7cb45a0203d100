package wholefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// ErrBusy is the error of [Resume] when another File, of this process or another one,
// is about to become the same name.
var ErrBusy = errors.New("another transfer is writing this file")

// errNoLocks says that there are no locks here.
var errNoLocks = errors.New("no file locks")

// Resume is [Create] for a file that may have been begun before: the temporary file is
// called .NAME.part, with as much of NAME as fits, and holds what an earlier File of
// the name held when its process ended or called [File.Keep]. size is how much that is;
// whether it is of any use is the caller's to find out.
//
// Of mode the same counts as for [Create]. What an earlier File was told to allow and this
// one is not, Commit takes away.
//
// The temporary file is locked until the File ends, where the system has such locks.
func Resume(root *os.Root, name string, mode fs.FileMode) (f *File, size int64, err error) {
	return ResumeTagged(root, name, "", mode)
}

// ResumeTagged is like [Resume], but a temporary file is resumed only with the same tag,
// such as the beginning of a digest. The temporary file is called .NAME.TAG.part. A tag has
// at most 64 letters and digits.
func ResumeTagged(root *os.Root, name, tag string, mode fs.FileMode) (f *File, size int64, err error) {
	if err := checkLocal(name); err != nil {
		return nil, 0, err
	}
	perm, err := permissions(root, name, mode)
	if err != nil {
		return nil, 0, err
	}
	suffix := tempSuffix
	if tag != "" {
		suffix = "." + tag + tempSuffix
	}
	temp := "." + cut(name, maxName-len(".")-len(suffix)) + suffix
	for range attempts {
		file, err := root.OpenFile(temp, os.O_RDWR|os.O_CREATE, perm)
		if err != nil {
			return nil, 0, err
		}
		if err := lock(file); errors.Is(err, ErrBusy) {
			return nil, 0, errors.Join(err, file.Close())
		}
		size, same, err := stillThere(root, file, temp)
		if err == nil && same {
			return &File{dir: root, file: file, name: name, temp: temp, surplus: fs.ModePerm &^ perm}, size, nil
		}
		// The previous owner of the lock has committed or removed the file; or it is not a
		// regular file.
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, 0, err
		}
		if info, err := root.Lstat(temp); err == nil && links(info) > 1 {
			if err := root.Remove(temp); err != nil {
				return nil, 0, err
			}
		}
	}
	return nil, 0, &fs.PathError{Op: "open", Path: temp, Err: fs.ErrExist}
}

// Cut makes the file size bytes long, and the next Write go behind them.
func (f *File) Cut(size int64) error {
	if err := f.Truncate(size); err != nil {
		return err
	}
	_, err := f.file.Seek(size, io.SeekStart)
	return f.note(err)
}

// stillThere reports whether file is what the name stands for, itself and not by a
// symbolic link, and has no other name.
func stillThere(dir directory, file *os.File, name string) (size int64, same bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, false, err
	}
	now, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return info.Size(), now.Mode().IsRegular() && os.SameFile(info, now) && links(now) <= 1, nil
}

// Keep closes the temporary file and leaves it where it is, for [Resume]. It does
// nothing after Commit or Abort.
func (f *File) Keep() error {
	if f.done {
		return nil
	}
	f.done = true
	return f.file.Close()
}
