package directory

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestDigestsOfWhatMayChange: those of a file that was changed just now are computed
// anew until a change would show.
func TestDigestsOfWhatMayChange(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": []byte("hello, world")})
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		if err := os.Chtimes(filepath.Join(p.Root.Name(), "f"), now, now); err != nil {
			t.Fatal(err)
		}
		computed := 0
		open := func(want int) {
			t.Helper()
			f, _, _, err := p.shelf.item("f").open(t.Context(), p.Root, "f", func(int64, error) { computed++ })
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			if computed != want {
				t.Errorf("computed %d times, want %d", computed, want)
			}
		}
		open(1)
		time.Sleep(clockGrain)
		open(2)
		time.Sleep(time.Nanosecond)
		open(3)
		open(3)
	})
}

// TestDigestsWhileItChanges: the digests of a file that changes while it is read are
// those of nothing.
func TestDigestsWhileItChanges(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": []byte("hello, world")})
	f, err := p.Root.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	other := before.ModTime().Add(time.Second)
	if err := os.Chtimes(filepath.Join(p.Root.Name(), "f"), other, other); err != nil {
		t.Fatal(err)
	}
	it := p.shelf.item("f")
	if _, err := it.digests(t.Context(), f, before, nil); !errors.Is(err, errBusy) || it.pieces != nil {
		t.Errorf("%v, kept: %v", err, it.pieces)
	}
}
