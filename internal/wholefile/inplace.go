package wholefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// CreateInPlace is [Create] for a regular file that exists and can be written, in a
// directory that cannot. The temporary file is in the system's directory for them.
// [File.Commit] copies it over the file: a reader, or a crash during the copy, can see a
// part of both.
func CreateInPlace(root *os.Root, name string) (*File, error) {
	if err := checkLocal(name); err != nil {
		return nil, err
	}
	if err := CheckTaken(root, name, true); err != nil {
		return nil, err
	}
	target, err := root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	if info, err := target.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, target.Close(), &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist})
	}
	file, err := os.CreateTemp("", "."+cut(name, maxName/2)+".*"+tempSuffix)
	if err != nil {
		return nil, errors.Join(err, target.Close())
	}
	// Where an open file can lose its name, nothing is left by a process that is killed.
	_ = os.Remove(file.Name())
	return &File{dir: root, file: file, name: name, temp: file.Name(), target: target}, nil
}

// overwrite copies the temporary file over the target.
func (f *File) overwrite() error {
	f.done = true
	n, err := io.Copy(f.target, io.NewSectionReader(f.file, 0, 1<<63-1))
	if err == nil {
		err = f.target.Truncate(n)
	}
	if err == nil {
		err = f.target.Sync()
	}
	return errors.Join(err, f.target.Close(), f.discard())
}

// discard closes the temporary file of a target, and removes it where that could not be
// done before.
func (f *File) discard() error {
	err := f.file.Close()
	_ = os.Remove(f.temp)
	return err
}
