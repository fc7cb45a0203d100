package wholefile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"sync"
	"unicode/utf8"
)

// A File is a file that has no name yet that anybody looks for. See [Create].
//
// WriteAt and ReadAt may be called by several goroutines at once; the other methods are
// one goroutine's.
type File struct {
	dir  directory
	file *os.File
	name string // what it will be
	temp string // what it is

	// surplus are permission bits that the temporary file has and the file must not.
	surplus fs.FileMode
	// target is the file that Commit overwrites, or nil; see [CreateInPlace].
	target *os.File

	mu     sync.Mutex
	failed error // the first error of a write: the file is not whole
	done   bool  // committed or aborted
}

// A directory is what a File needs of an *os.Root.
type directory interface {
	Link(oldname, newname string) error
	Rename(oldname, newname string) error
	Remove(name string) error
	Lstat(name string) (fs.FileInfo, error)
	Open(name string) (*os.File, error)
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error)
}

// attempts is how many temporary names are tried. Each has 60 random bits, so that the
// second try is already a formality.
const attempts = 10

// Create makes a temporary file in root that Commit will call name. That is a name in root
// without directories, and not a directory's. The temporary file is called
// .NAME.RANDOM.part, with as much of NAME as fits, and is locked until the File ends,
// where the system has such locks.
//
// Only mode's permission bits count, less the process's umask; 0 means 0666. The owner can
// read and write the file in any case. A file that replaces another one has that one's
// permissions and, where permitted, its owner.
//
// The caller ends with [File.Commit] or [File.Abort], and keeps owning root, which must
// stay open until then.
func Create(root *os.Root, name string, mode fs.FileMode) (*File, error) {
	if err := checkLocal(name); err != nil {
		return nil, err
	}
	return create(root, name, mode)
}

func create(dir directory, name string, mode fs.FileMode) (*File, error) {
	perm, err := permissions(dir, name, mode)
	if err != nil {
		return nil, err
	}
	for range attempts {
		temp := tempName(name, rand.Text())
		var file *os.File
		file, err = dir.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if err == nil {
			if !claim(file) { // another process collects it
				_ = file.Close()
				continue
			}
			return &File{dir: dir, file: file, name: name, temp: temp}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err == nil {
		err = &fs.PathError{Op: "create", Path: name, Err: ErrBusy}
	}
	return nil, err
}

// permissions returns those of the temporary file for name: never more than a file has
// that is there already. It fails at once, and not after an hour's transfer, if name is
// a directory's. Anything else that has the name may be gone by then.
func permissions(dir directory, name string, mode fs.FileMode) (fs.FileMode, error) {
	perm := mode.Perm()
	if perm == 0 {
		perm = 0o666
	}
	info, err := dir.Lstat(name)
	switch {
	case err != nil:
	case info.IsDir():
		return 0, &fs.PathError{Op: "create", Path: name, Err: errIsDirectory}
	case info.Mode().IsRegular():
		perm = info.Mode().Perm()
	}
	return perm | 0o600, nil
}

// claim locks a new file. It reports whether the file is still there.
func claim(file *os.File) bool {
	if errors.Is(lock(file), ErrBusy) {
		return false
	}
	info, err := file.Stat()
	return err != nil || links(info) > 0
}

// tempName is the name of a temporary file for name, no longer than a name may be.
func tempName(name, random string) string {
	const extra = len(".") + len(".") + randomLen + len(tempSuffix)
	name = cut(name, maxName-extra)
	return "." + name + "." + random[:randomLen] + tempSuffix
}

// tempSuffix ends the name of a temporary file, as a dot begins it.
const tempSuffix = ".part"

// randomDigits are those of rand.Text.
const randomDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// randomLen is how many characters, 5 bits each, of rand.Text a temporary name holds.
const randomLen = 12

// cut returns the first n bytes of s, or up to three less so as not to cut a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// errIsDirectory is why a file cannot have a directory's name. It is an fs.ErrExist:
// even replacing is out of the question.
var errIsDirectory error = directoryError{}

type directoryError struct{}

func (directoryError) Error() string   { return "is a directory" }
func (directoryError) Is(e error) bool { return e == fs.ErrExist }

// Name is the name that Commit will give the file.
func (f *File) Name() string { return f.name }

// Write writes where the last Write ended.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	return n, f.note(err)
}

// WriteAt writes at an offset. Gaps between written parts read as zeros.
func (f *File) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.file.WriteAt(b, off)
	return n, f.note(err)
}

// ReadAt reads what has been written, so that it can be verified before Commit.
func (f *File) ReadAt(b []byte, off int64) (int, error) { return f.file.ReadAt(b, off) }

// Truncate makes the file size bytes long. It reserves no space.
func (f *File) Truncate(size int64) error { return f.note(f.file.Truncate(size)) }

// note remembers that the file is not whole.
func (f *File) note(err error) error {
	if err == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
	return err
}

func (f *File) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}
