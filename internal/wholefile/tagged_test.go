package wholefile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestResumeTagged(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	resume := func(tag string, want int64) *File {
		t.Helper()
		f, size, err := ResumeTagged(root, "f", tag, 0)
		if err != nil || size != want {
			t.Fatalf("tag %s: %d bytes, %v; want %d", tag, size, err, want)
		}
		return f
	}
	f := resume("0123456789abcdef", 0)
	f.Write([]byte("hello, wrold"))
	if err := f.Keep(); err != nil {
		t.Fatal(err)
	}
	if err := resume("another", 0).Abort(); err != nil {
		t.Fatal(err)
	}
	f = resume("0123456789abcdef", 12)
	if err := f.Cut(7); err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("world"))
	if err := f.Commit(false); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil || string(b) != "hello, world" {
		t.Errorf("%q, %v", b, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files are left, want 1", len(entries))
	}
}
