package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func openRoot(t *testing.T) (*os.Root, string) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// TestResume: what was kept is there again, and nobody sees the name before Commit.
func TestResume(t *testing.T) {
	root, dir := openRoot(t)
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
	root, _ := openRoot(t)
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
	root, dir := openRoot(t)
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
