package wholefile

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// writeFile makes a file with a modification time.
func writeFile(t *testing.T, root *os.Root, name string, size int, at time.Time) {
	t.Helper()
	if err := root.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := root.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestCollect: the temporary files of a killed process are removed. Those that another
// process still writes, and all other files, are not.
func TestCollect(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("locks of one process do not exclude each other")
	}
	root := openRoot(t)
	live := mustCreate(t, root, "live", "text")
	now := time.Now()
	keep := []string{"a", ".b", ".c.part", ".d.0123456789abcdef.77.part", ".e.abcdefghijkl.part", ".f.AAAAAAAAAAA.part"}
	gone := []string{".dead.AAAAAAAAAAAA.part", ".other.234567ABCDEF.part"}
	for _, name := range slices.Concat(keep, gone) {
		writeFile(t, root, name, 3, now)
	}
	if err := root.Mkdir(".dir.AAAAAAAAAAAA.part", 0o700); err != nil {
		t.Fatal(err)
	}
	Collect(root, "other")
	if got := contents(t, root); got[".other.234567ABCDEF.part"] != "" || got[".dead.AAAAAAAAAAAA.part"] == "" {
		t.Errorf("after Collect of one name: %q", slices.Sorted(maps.Keys(got)))
	}
	Collect(root, "")
	want := append(slices.Clone(keep), live.temp, ".dir.AAAAAAAAAAAA.part")
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(contents(t, root))); !slices.Equal(got, want) {
		t.Errorf("left: %q, want %q", got, want)
	}
	if err := live.Commit(false); err != nil {
		t.Error(err)
	}
}

// TestPrune: the bounds on parts in number, age and sum.
func TestPrune(t *testing.T) {
	now := time.Now()
	name := func(i int) string { return fmt.Sprintf(".f%d.0123456789abcdef.1000.part", i) }
	for _, tt := range []struct {
		limits Limits
		want   string // the parts that are left
	}{
		{Limits{-1, -1, -1}, "0 1 2 3"},
		{Limits{-1, 90 * time.Minute, -1}, "0 1"},
		{Limits{2, -1, -1}, "1 3"}, // the long ones
		{Limits{-1, -1, 500}, "0 1"},
		{Limits{-1, -1, 399}, "0"},
		{Limits{0, 0, -1}, ""},
	} {
		root := openRoot(t)
		for i, size := range []int{100, 400, 200, 300} {
			writeFile(t, root, name(i), size, now.Add(-time.Duration(i)*time.Hour-time.Second))
		}
		Prune(root, tt.limits, now)
		var left []string
		for i := range 4 {
			if _, err := root.Lstat(name(i)); err == nil {
				left = append(left, fmt.Sprint(i))
			}
		}
		if got := strings.Join(left, " "); got != tt.want {
			t.Errorf("%+v: left %q, want %q", tt.limits, got, tt.want)
		}
	}
}

// A part in use is not removed.
func TestPruneInUse(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("locks of one process do not exclude each other")
	}
	root := openRoot(t)
	f, _, err := ResumeTagged(root, "a", Tag([32]byte{}, 10), 0)
	if err != nil {
		t.Fatal(err)
	}
	Prune(root, Limits{0, 0, -1}, time.Now().Add(time.Hour))
	if err := f.Commit(false); err != nil {
		t.Error(err)
	}
	wantContents(t, root, map[string]string{"a": ""})
}

// TestTag: a part with a tag is known as one, and belongs to one size.
func TestTag(t *testing.T) {
	root := openRoot(t)
	for size := range int64(2) {
		f, held, err := ResumeTagged(root, strings.Repeat("n", 255), Tag([32]byte{1}, size), 0)
		if err != nil || held != 0 {
			t.Fatalf("size %d: %d bytes are held, %v", size, held, err)
		}
		if !isPart(f.temp) || len(f.temp) > maxName {
			t.Errorf("temporary name %q", f.temp)
		}
		if _, err := f.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if err := f.Keep(); err != nil {
			t.Error(err)
		}
	}
}

func TestFree(t *testing.T) {
	n, known := Free(openRoot(t))
	if (runtime.GOOS == "linux") != known || known && n <= 0 {
		t.Errorf("%d bytes, known %v", n, known)
	}
}
