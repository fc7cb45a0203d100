package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestResume: Resume finds the part that was kept. The name exists only after Commit.
func TestResume(t *testing.T) {
	root := openRoot(t)
	dir := root.Name()
	for i, half := range []string{"first half, ", "second half"} {
		f, size, err := Resume(root, "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(i * len("first half, ")); size != want {
			t.Errorf("resumed with %d bytes, want %d", size, want)
		}
		if _, err := os.Lstat(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before Commit: %v", err)
		}
		if _, err := f.WriteAt([]byte(half), size); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			err = f.Keep()
		} else {
			err = f.Commit(true)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Abort(); err != nil { // as by a defer
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a")); string(got) != "first half, second half" {
		t.Errorf("%q, %v", got, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestResumeIsForOne(t *testing.T) {
	root := openRoot(t)
	f, _, err := Resume(root, "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Resume(root, "a", 0); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v, want ErrBusy", err)
	}
	if err := f.Abort(); err != nil {
		t.Fatal(err)
	}
	f, size, err := Resume(root, "a", 0)
	if err != nil || size != 0 {
		t.Errorf("after Abort: %d bytes, %v", size, err)
	}
	f.Abort()
}

// TestResumeFollowsNoLink: neither out of the directory nor within it.
func TestResumeFollowsNoLink(t *testing.T) {
	root := openRoot(t)
	dir := root.Name()
	outside := filepath.Join(t.TempDir(), "f")
	for _, target := range []string{"other", outside} {
		other := target
		if !filepath.IsAbs(target) {
			other = filepath.Join(dir, target)
		}
		if err := os.WriteFile(other, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(dir, ".a.part")
		if err := os.Symlink(target, link); err != nil {
			t.Skip(err)
		}
		if f, _, err := Resume(root, "a", 0); err == nil {
			f.Abort()
			t.Errorf("a link to %s was taken for a file", target)
		}
		if got, _ := os.ReadFile(other); string(got) != "precious" {
			t.Errorf("%s holds %q", target, got)
		}
		os.Remove(link)
	}
	if _, _, err := Resume(root, "../a", 0); !errors.Is(err, ErrPath) {
		t.Errorf("../a: %v", err)
	}
	os.Mkdir(filepath.Join(dir, "d"), 0o700)
	if _, _, err := Resume(root, "d", 0); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a directory: %v", err)
	}
}

// Another Resume fails until the file is committed. After that it begins a new temporary
// file and does not touch the committed contents.
func TestResumeDuringCommit(t *testing.T) {
	for _, replace := range []bool{true, false} {
		root := openRoot(t)
		f, _, err := Resume(root, "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("whole")); err != nil {
			t.Fatal(err)
		}
		var before, after error
		f.dir = &watchedDir{fakeDir{Root: root}, func(err *error) {
			var other *File
			if other, _, *err = Resume(root, "a", 0); other != nil {
				_, _ = other.Write([]byte("XXX"))
				_ = other.Abort()
			}
		}, &before, &after}
		if err := f.Commit(replace); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(before, ErrBusy) {
			t.Errorf("before it has its name: %v, want ErrBusy", before)
		}
		if after != nil && !errors.Is(after, ErrBusy) {
			t.Errorf("after: %v", after)
		}
		wantContents(t, root, map[string]string{"a": "whole"})
	}
}

// A watchedDir does something before and after a file gets its name.
type watchedDir struct {
	fakeDir
	do            func(*error)
	before, after *error
}

func (d *watchedDir) Rename(oldname, newname string) error {
	d.do(d.before)
	defer d.do(d.after)
	return d.fakeDir.Rename(oldname, newname)
}

func (d *watchedDir) Link(oldname, newname string) error {
	d.do(d.before)
	defer d.do(d.after)
	return d.fakeDir.Link(oldname, newname)
}

// Abort removes the temporary file while it still has it.
func TestResumeDuringAbort(t *testing.T) {
	root := openRoot(t)
	f, _, err := Resume(root, "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := &removing{Root: root}
	f.dir = dir
	if err := f.Abort(); err != nil || !errors.Is(dir.err, ErrBusy) {
		t.Errorf("Abort: %v; Resume meanwhile: %v, want ErrBusy", err, dir.err)
	}
	wantContents(t, root, map[string]string{})
}

// A removing Root tries to Resume before it removes.
type removing struct {
	*os.Root
	err error
}

func (r *removing) Remove(name string) error {
	var f *File
	if f, _, r.err = Resume(r.Root, "a", 0); f != nil {
		_ = f.Keep()
	}
	return r.Root.Remove(name)
}
