package wholefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"testing"
)

// A fakeDir is a directory whose calls fail when told to.
type fakeDir struct {
	*os.Root
	link, rename, remove, open error
	dir                        *os.File // what Open returns
	exist                      int      // how many temporary names are taken
	openFile                   error    // after those
	tries                      int
	stat                       error
}

func (d *fakeDir) Link(oldname, newname string) error {
	if d.link != nil {
		return d.link
	}
	return d.Root.Link(oldname, newname)
}

func (d *fakeDir) Rename(oldname, newname string) error {
	if d.rename != nil {
		return d.rename
	}
	return d.Root.Rename(oldname, newname)
}

func (d *fakeDir) Remove(name string) error {
	if d.remove != nil {
		return d.remove
	}
	return d.Root.Remove(name)
}

func (d *fakeDir) Lstat(name string) (fs.FileInfo, error) {
	if d.stat != nil {
		return nil, d.stat
	}
	return d.Root.Lstat(name)
}

func (d *fakeDir) Open(name string) (*os.File, error) {
	if d.open != nil {
		return nil, d.open
	}
	if d.dir != nil {
		return d.dir, nil
	}
	return d.Root.Open(name)
}

func (d *fakeDir) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	d.tries++
	if d.tries <= d.exist {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	}
	if d.openFile != nil {
		return nil, d.openFile
	}
	return d.Root.OpenFile(name, flag, perm)
}

var errBroken = errors.New("broken")

// After a failed write, Commit does not give the file its name.
func TestWriteFails(t *testing.T) {
	for name, write := range map[string]func(*File) error{
		"Write":    func(f *File) error { _, err := f.Write([]byte("x")); return err },
		"WriteAt":  func(f *File) error { _, err := f.WriteAt([]byte("x"), -1); return err },
		"Truncate": func(f *File) error { return f.Truncate(-1) },
	} {
		t.Run(name, func(t *testing.T) {
			root := openRoot(t)
			f := mustCreate(t, root, "name", "text")
			if name == "Write" {
				f.file.Close() // whatever the reason
			}
			failed := write(f)
			if failed == nil {
				t.Fatal("it works")
			}
			if err := f.note(errBroken); err != errBroken { // another one, later
				t.Errorf("note: %v", err)
			}
			if err := f.Commit(true); !errors.Is(err, failed) || errors.Is(err, errBroken) {
				t.Errorf("Commit: %v, want %v", err, failed)
			}
			wantContents(t, root, map[string]string{})
		})
	}
}

// Whatever goes wrong, the temporary file is gone and the name is what it was.
func TestCommitFails(t *testing.T) {
	for _, test := range []struct {
		name    string
		dir     fakeDir
		replace bool
	}{
		{"rename", fakeDir{rename: errBroken}, true},
		{"rename without links", fakeDir{link: syscall.EPERM, rename: errBroken}, false},
		{"stat without links", fakeDir{link: syscall.EPERM, stat: errBroken}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := openRoot(t)
			dir := test.dir
			dir.Root = root
			f := mustCreate(t, &dir, "name", "text")
			if err := f.Commit(test.replace); !errors.Is(err, errBroken) {
				t.Errorf("Commit: %v", err)
			}
			wantContents(t, root, map[string]string{})
			if err := f.Abort(); err != nil {
				t.Errorf("Abort: %v", err)
			}
		})
	}
}

// What could not be written to the disk does not get the name.
func TestSyncFails(t *testing.T) {
	root := openRoot(t)
	f := mustCreate(t, root, "name", "text")
	f.file.Close()
	f.file = unsyncable(t)
	if err := f.Commit(true); err == nil {
		t.Error("Commit works")
	}
	wantContents(t, root, map[string]string{})
}

// unsyncable is a file of which the system says that it cannot be synced.
func unsyncable(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	if err := w.Sync(); err == nil {
		t.Skip("a pipe can be synced here")
	}
	return w
}

// That the directory cannot be written to the disk is said, and changes nothing else.
// Where there is no such thing, nothing is missing.
func TestSyncDirFails(t *testing.T) {
	closed := unsyncable(t)
	closed.Close()
	for _, test := range []struct {
		name string
		dir  fakeDir
		want error
	}{
		{"open", fakeDir{open: errBroken}, errBroken},
		{"may not open", fakeDir{open: fs.ErrPermission}, nil},
		{"sync", fakeDir{dir: closed}, fs.ErrClosed},
		{"cannot sync", fakeDir{dir: unsyncable(t)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := openRoot(t)
			dir := test.dir
			dir.Root = root
			f := mustCreate(t, &dir, "name", "text")
			if err := f.Commit(true); !errors.Is(err, test.want) {
				t.Errorf("Commit: %v, want %v", err, test.want)
			}
			wantContents(t, root, map[string]string{"name": "text"})
		})
	}
}

// A file that has its name is committed, even if its temporary name stays.
func TestRemoveFails(t *testing.T) {
	root := openRoot(t)
	f := mustCreate(t, &fakeDir{Root: root, remove: errBroken}, "name", "text")
	if err := f.Commit(false); err != nil {
		t.Errorf("Commit: %v", err)
	}
	wantContents(t, root, map[string]string{"name": "text", f.temp: "text"})

	f = mustCreate(t, &fakeDir{Root: root, remove: errBroken}, "name", "text")
	if err := f.Abort(); !errors.Is(err, errBroken) {
		t.Errorf("Abort: %v", err)
	}
}

func TestTempNameTaken(t *testing.T) {
	root := openRoot(t)
	dir := &fakeDir{Root: root, exist: attempts - 1}
	f := mustCreate(t, dir, "name", "text")
	if err := f.Abort(); err != nil {
		t.Error(err)
	}
	dir = &fakeDir{Root: root, exist: attempts + 5}
	if f, err := create(dir, "name", 0); f != nil || !errors.Is(err, fs.ErrExist) || dir.tries != attempts {
		t.Errorf("create = %v, %v after %d tries", f, err, dir.tries)
	}
	dir = &fakeDir{Root: root, openFile: errBroken}
	if f, err := create(dir, "name", 0); f != nil || !errors.Is(err, errBroken) || dir.tries != 1 {
		t.Errorf("create = %v, %v after %d tries", f, err, dir.tries)
	}
}

// Chunks that arrive out of order may be written by several goroutines.
func TestConcurrentWriteAt(t *testing.T) {
	root := openRoot(t)
	f := mustCreate(t, root, "name", "")
	var wg sync.WaitGroup
	want := ""
	for i := range 50 {
		want += fmt.Sprintf("%04d", i)
		wg.Go(func() {
			if _, err := f.WriteAt(fmt.Appendf(nil, "%04d", i), int64(4*i)); err != nil {
				t.Error(err)
			}
			_, _ = f.WriteAt(nil, -1) // fails
		})
	}
	wg.Wait()
	if err := f.Commit(true); err == nil {
		t.Error("Commit after failed writes works")
	}
	wantContents(t, root, map[string]string{})
}
