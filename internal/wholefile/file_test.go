package wholefile

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openRoot(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// contents are the files of a directory. A symbolic link is "-> " and its target.
func contents(t *testing.T, root *os.Root) map[string]string {
	t.Helper()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, e := range entries {
		var text string
		switch e.Type() {
		case fs.ModeDir:
			text = "directory"
		case fs.ModeSymlink:
			to, err := root.Readlink(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			text = "-> " + to
		default:
			b, err := root.ReadFile(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		all[e.Name()] = text
	}
	return all
}

func wantContents(t *testing.T, root *os.Root, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, contents(t, root)); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
}

// create makes a File that holds text.
func mustCreate(t *testing.T, dir directory, name, text string) *File {
	t.Helper()
	f, err := create(dir, name, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Abort() })
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFile(t *testing.T) {
	root := openRoot(t)
	f, err := Create(root, "name", 0)
	if err != nil {
		t.Fatal(err)
	}
	if f.Name() != "name" {
		t.Errorf("Name = %q", f.Name())
	}
	for _, s := range []string{"one ", "two ", "threeeee"} {
		if n, err := f.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if n, err := f.WriteAt([]byte("ONE"), 0); n != 3 || err != nil {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	if err := f.Truncate(13); err != nil {
		t.Error(err)
	}
	b := make([]byte, 7)
	if n, err := f.ReadAt(b, 0); string(b[:n]) != "ONE two" || err != nil {
		t.Errorf("ReadAt = %q, %v", b[:n], err)
	}

	// Before Commit there is only the temporary file.
	for name := range contents(t, root) {
		if !strings.HasPrefix(name, ".name.") || !strings.HasSuffix(name, ".part") {
			t.Errorf("before Commit there is %q", name)
		}
	}
	if err := f.Commit(false); err != nil {
		t.Fatal(err)
	}
	wantContents(t, root, map[string]string{"name": "ONE two three"})

	if err := f.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	if err := f.Commit(true); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a second Commit: %v", err)
	}
	wantContents(t, root, map[string]string{"name": "ONE two three"})
}

func TestAbort(t *testing.T) {
	root := openRoot(t)
	f := mustCreate(t, root, "name", "text")
	for range 2 {
		if err := f.Abort(); err != nil {
			t.Error(err)
		}
	}
	if err := f.Commit(true); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit: %v", err)
	}
	if _, err := f.Write([]byte("text")); err == nil {
		t.Error("Write works")
	}
	wantContents(t, root, map[string]string{})
}

// Somebody may have tidied up.
func TestAbortGone(t *testing.T) {
	root := openRoot(t)
	f := mustCreate(t, root, "name", "text")
	if err := root.Remove(f.temp); err != nil {
		t.Skip("an open file cannot be removed here:", err)
	}
	if err := f.Abort(); err != nil {
		t.Error(err)
	}
}

func TestCreateRefuses(t *testing.T) {
	root := openRoot(t)
	for _, name := range []string{"", "a/b", "../x", "/x", "..", "d/con.txt"} {
		f, err := Create(root, name, 0)
		if f != nil || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Create(%q) = %v, %v", name, f, err)
		}
	}
	if err := root.Mkdir("dir", 0o777); err != nil {
		t.Fatal(err)
	}
	if f, err := Create(root, "dir", 0); f != nil || !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create(directory) = %v, %v", f, err)
	}
	wantContents(t, root, map[string]string{"dir": "directory"})
}

func TestMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	root := openRoot(t)
	plain, err := root.Create("plain") // with 0666
	if err != nil {
		t.Fatal(err)
	}
	info, err := plain.Stat()
	if err != nil {
		t.Fatal(err)
	}
	plain.Close()
	umask := 0o666 &^ info.Mode().Perm()

	for mode, want := range map[fs.FileMode]fs.FileMode{
		0:                              0o666,
		0o600:                          0o600,
		0o444:                          0o644, // the owner can read and write
		0o200:                          0o600,
		0o002:                          0o602,
		0o755:                          0o755,
		fs.ModeSetuid | 0o700:          0o700,
		fs.ModeDir | fs.ModeSticky:     0o666,
		fs.ModeSetgid | fs.ModeSymlink: 0o666,
	} {
		f, err := Create(root, "name", mode)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("text")); err != nil {
			t.Error(err)
		}
		if err := f.Commit(true); err != nil {
			t.Fatal(err)
		}
		info, err := root.Lstat("name")
		if err != nil {
			t.Fatal(err)
		}
		// What the umask does to the other bits (0755) is not visible in plain's mode.
		if got := info.Mode(); got&^0o111 != want&^umask&^0o111 || got&0o111&^want != 0 {
			t.Errorf("%v: mode %v, want %v", mode, got, want&^umask)
		}
		if err := root.Remove("name"); err != nil {
			t.Fatal(err)
		}
	}
}

// With hard links and without, the name is taken or it is not.
func TestCommit(t *testing.T) {
	for _, test := range []struct {
		name    string
		before  map[string]string
		replace bool
		after   string // of name; "": Commit fails with fs.ErrExist
	}{
		{"new", nil, false, "new text"},
		{"new, replace", nil, true, "new text"},
		{"exists", map[string]string{"name": "old text"}, false, ""},
		{"exists, replace", map[string]string{"name": "old text"}, true, "new text"},
		{"empty file", map[string]string{"name": ""}, false, ""},
		{"link", map[string]string{"name": "-> other", "other": "other text"}, false, ""},
		{"link, replace", map[string]string{"name": "-> other", "other": "other text"}, true, "new text"},
		{"broken link", map[string]string{"name": "-> nothing"}, false, ""},
		{"link outside", map[string]string{"name": "-> ../outside"}, false, ""},
		{"link outside, replace", map[string]string{"name": "-> ../outside"}, true, "new text"},
		{"absolute link, replace", map[string]string{"name": "-> /outside"}, true, "new text"},
	} {
		for _, links := range []bool{true, false} {
			t.Run(test.name+map[bool]string{true: "", false: ", no hard links"}[links], func(t *testing.T) {
				root := openRoot(t)
				outside := filepath.Join(filepath.Dir(root.Name()), "outside")
				for name, text := range test.before {
					var err error
					if target, ok := strings.CutPrefix(text, "-> "); ok {
						err = root.Symlink(target, name)
					} else {
						err = root.WriteFile(name, []byte(text), 0o666)
					}
					if err != nil {
						t.Skip(err) // Windows may not allow symbolic links
					}
				}
				var dir directory = root
				if !links {
					dir = &fakeDir{Root: root, link: errors.ErrUnsupported}
				}
				f := mustCreate(t, dir, "name", "new text")
				want := make(map[string]string)
				maps.Copy(want, test.before)
				err := f.Commit(test.replace)
				if test.after != "" {
					want["name"] = test.after
					if err != nil {
						t.Error(err)
					}
				} else if !errors.Is(err, fs.ErrExist) {
					t.Errorf("Commit: %v", err)
				}
				wantContents(t, root, want)
				if _, err := os.Lstat(outside); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("outside: %v", err)
				}
			})
		}
	}
}

// A directory that was made in the meantime stays.
func TestCommitDirectory(t *testing.T) {
	for _, replace := range []bool{false, true} {
		root := openRoot(t)
		f := mustCreate(t, root, "name", "text")
		if err := root.Mkdir("name", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(replace); err == nil {
			t.Errorf("Commit(%v) replaces a directory", replace)
		}
		wantContents(t, root, map[string]string{"name": "directory"})
	}
}

// Of many that want a name without replacing, one gets it.
func TestCommitRace(t *testing.T) {
	root := openRoot(t)
	const racers = 20
	errs := make(chan error, racers)
	for range racers {
		f := mustCreate(t, root, "name", "text")
		go func() { errs <- f.Commit(false) }()
	}
	won := 0
	for range racers {
		if err := <-errs; err == nil {
			won++
		} else if !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d have got the name", won)
	}
	wantContents(t, root, map[string]string{"name": "text"})
}

// A directory that is moved away is followed: the file goes where Create began.
func TestRootMoved(t *testing.T) {
	outer := t.TempDir()
	if err := os.Mkdir(filepath.Join(outer, "one"), 0o777); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(outer, "one"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f := mustCreate(t, root, "name", "text")
	if err := os.Rename(filepath.Join(outer, "one"), filepath.Join(outer, "two")); err != nil {
		t.Skip("an open directory cannot be moved here:", err)
	}
	if err := f.Commit(false); err != nil {
		t.Fatal(err)
	}
	if got, want := walk(t, outer), []string{".", "two", "two/name"}; !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
}
