package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"testing"
)

// TestReplaceKeepsMode: a file that replaces another has that one's permissions,
// whatever the sender offers, and never more in between.
func TestReplaceKeepsMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	for _, had := range []fs.FileMode{0o600, 0o664, 0o640, 0o444, 0o777} {
		for _, offered := range []fs.FileMode{0, 0o644, 0o600, 0o777} {
			root := openRoot(t)
			if err := root.WriteFile("f", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := root.Chmod("f", had); err != nil {
				t.Fatal(err)
			}
			f, err := Create(root, "f", offered)
			if err != nil {
				t.Fatal(err)
			}
			if info, err := root.Lstat(f.temp); err != nil || info.Mode()&^(had|0o600) != 0 {
				t.Errorf("%v: the temporary file has %v, %v", had, info.Mode(), err)
			}
			if err := f.Commit(true); err != nil {
				t.Fatal(err)
			}
			if info, err := root.Lstat("f"); err != nil || info.Mode() != had {
				t.Errorf("%v replaced by %v: %v, %v", had, offered, info.Mode(), err)
			}
		}
	}
}

// TestSwappedTemporary: what somebody puts in the place of the temporary file does not get
// its name.
func TestSwappedTemporary(t *testing.T) {
	for _, replace := range []bool{true, false} {
		root := openRoot(t)
		f := mustCreate(t, root, "f", "text")
		if err := errors.Join(root.Remove(f.temp), root.WriteFile("victim", []byte("victim"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := root.Symlink("victim", f.temp); err != nil {
			t.Skip(err)
		}
		if err := f.Commit(replace); !errors.Is(err, errReplaced) {
			t.Errorf("replace %v: %v", replace, err)
		}
		wantContents(t, root, map[string]string{"victim": "victim"})
	}
}

// TestResumeHardLink: a part that is another file, too, is not written to.
func TestResumeHardLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links are not counted")
	}
	root := openRoot(t)
	if err := root.WriteFile("victim", []byte("victim"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := root.Link("victim", ".a.part"); err != nil {
		t.Skip(err)
	}
	f, held, err := Resume(root, "a", 0)
	if err != nil || held != 0 {
		t.Fatalf("%d bytes are held, %v", held, err)
	}
	if _, err := f.Write([]byte("XX")); err != nil {
		t.Error(err)
	}
	if err := f.Commit(false); err != nil {
		t.Error(err)
	}
	wantContents(t, root, map[string]string{"victim": "victim", "a": "XX"})
}

// TestInPlace: the file is written only when all of it is there, and is the same file
// afterwards.
func TestInPlace(t *testing.T) {
	root := openRoot(t)
	if err := root.WriteFile("f", []byte("the old text"), 0o640); err != nil {
		t.Fatal(err)
	}
	before, err := root.Lstat("f")
	if err != nil {
		t.Fatal(err)
	}
	for _, abort := range []bool{true, false} {
		f, err := CreateInPlace(root, "f")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("new")); err != nil {
			t.Error(err)
		}
		wantContents(t, root, map[string]string{"f": "the old text"})
		if abort {
			err = f.Abort()
		} else {
			err = f.Commit(true)
		}
		if err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(f.temp); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", f.temp, err)
		}
	}
	wantContents(t, root, map[string]string{"f": "new"})
	if after, err := root.Lstat("f"); err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("it is another file: %v, %v", after, err)
	}
	for _, name := range []string{"nonsuch", "..", "a/b"} {
		if f, err := CreateInPlace(root, name); err == nil {
			_ = f.Abort()
			t.Errorf("%s was created", name)
		}
	}
}
