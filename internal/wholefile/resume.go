package wholefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// ErrBusy is the error of [Resume] when another File, of this process or another one,
// is about to become the same name.
var ErrBusy = errors.New("wholefile: another transfer is writing this file")

// Resume is [Create] for a file that may have been begun before: the temporary file is
// called .NAME.part, with as much of NAME as fits, and holds what an earlier File of
// the name held when its process ended or called [File.Keep]. size is how much that is;
// whether it is of any use is the caller's to find out.
//
// Of mode the same counts as for [Create], but it is Commit that takes away the owner's
// permission to read or write, if mode has none, and whatever else an earlier File was
// told to allow and this one is not.
//
// The temporary file is locked until the File ends, where the system has such locks.
func Resume(root *os.Root, name string, mode fs.FileMode) (f *File, size int64, err error) {
	return ResumeTagged(root, name, "", mode)
}

// ResumeTagged is [Resume] for what is known to be the same contents only under the
// same tag, such as the beginning of their digest: the temporary file is called
// .NAME.TAG.part. A tag has at most 64 letters and digits.
func ResumeTagged(root *os.Root, name, tag string, mode fs.FileMode) (f *File, size int64, err error) {
	if err := CheckName(name); err != nil {
		return nil, 0, err
	}
	if info, err := root.Lstat(name); err == nil && info.IsDir() {
		return nil, 0, &fs.PathError{Op: "create", Path: name, Err: errIsDirectory}
	}
	perm := mode.Perm()
	if perm == 0 {
		perm = 0o666
	}
	suffix := tempSuffix
	if tag != "" {
		suffix = "." + tag + tempSuffix
	}
	temp := "." + cut(name, maxName-len(".")-len(suffix)) + suffix
	for range attempts {
		// Its owner must be able to open it again.
		file, err := root.OpenFile(temp, os.O_RDWR|os.O_CREATE, perm|0o600)
		if err != nil {
			return nil, 0, err
		}
		if err := lock(file); err != nil {
			return nil, 0, errors.Join(err, file.Close())
		}
		size, same, err := stillThere(root, file, temp)
		if err == nil && same {
			return &File{dir: root, file: file, name: name, temp: temp, surplus: fs.ModePerm &^ perm}, size, nil
		}
		// Whoever had the lock before has given the file its name, or removed it; or it
		// is no regular file.
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, 0, err
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
// symbolic link.
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
	return info.Size(), now.Mode().IsRegular() && os.SameFile(info, now), nil
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
