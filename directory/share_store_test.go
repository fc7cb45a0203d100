package directory

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/directory/fetch"
)

// TestDigestsOfWhatMayChange: the digests of a file that has just changed are computed
// for each request, until another change would show in its time stamps.
func TestDigestsOfWhatMayChange(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": []byte("hello, world")})
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Add(clockGrain + time.Nanosecond) // a tick of the finest grain
		time.Sleep(time.Until(now))
		if err := os.Chtimes(filepath.Join(p.Root.Name(), "f"), now, now); err != nil {
			t.Fatal(err)
		}
		computed := 0
		digest := func(want int) {
			t.Helper()
			f, info, err := open(p.Root, "f")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := p.store.share("f").digests(t.Context(), f, info, nil, func(int64, error) { computed++ }); err != nil {
				t.Fatal(err)
			}
			if computed != want {
				t.Errorf("computed %d times, want %d", computed, want)
			}
		}
		digest(1)
		time.Sleep(clockGrain)
		digest(2)
		time.Sleep(time.Nanosecond)
		digest(3)
		digest(3)
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
	s := p.store.share("f")
	if _, err := s.digests(t.Context(), f, before, nil, nil); !errors.Is(err, errChanging) || s.pieces != nil {
		t.Errorf("%v, kept: %v", err, s.pieces)
	}
}

// TestGrain: a change that comes within the resolution of the time stamps is not missed.
func TestGrain(t *testing.T) {
	base := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	p := sharing(t, map[string][]byte{"f": []byte("hello, world")})
	path := filepath.Join(p.Root.Name(), "f")
	for _, tt := range []struct {
		ns      int
		age     time.Duration
		settled bool
	}{
		{0, time.Second, false},
		{0, 2 * time.Second, false},
		{0, 2*time.Second + 1, true},
		{500e6, 200 * time.Millisecond, false},
		{500e6, 201 * time.Millisecond, true},
		{123456789, clockGrain, false},
		{123456789, clockGrain + 1, true},
	} {
		at := base.Add(time.Duration(tt.ns))
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		v := versionOf(info)
		v.change = time.Time{}
		if got := v.settled(at.Add(tt.age)); got != tt.settled {
			t.Errorf("%d ns, %v old: settled %v", tt.ns, tt.age, got)
		}
	}
}

// TestTimePutBack: a file that is rewritten and whose modification time is set back has
// another version.
func TestTimePutBack(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": []byte("hello, world")})
	path := filepath.Join(p.Root.Name(), "f")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if versionOf(before).change.IsZero() {
		t.Skip("this system has no time of the last change of an inode")
	}
	if err := os.WriteFile(path, []byte("HELLO, world"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if versionOf(before).equal(versionOf(after)) {
		t.Error("the versions are equal")
	}
}

// TestDigestCache: the digests of a large file are there after a restart, and those of
// another version are not.
func TestDigestCache(t *testing.T) {
	p := sharing(t, map[string][]byte{"f": nil})
	path := filepath.Join(p.Root.Name(), "f")
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Truncate(path, cacheMin), os.Chtimes(path, old, old)); err != nil {
		t.Fatal(err)
	}
	cache := &digestCache{openDir(t, nil)}
	computed := 0
	digest := func() {
		f, info, err := open(p.Root, "f")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		v := versionOf(info)
		v.change = old
		if !cache.holds(v) {
			t.Skip("this system has no inodes")
		}
		if cache.load(v) == nil {
			computed++
			list, err := fetch.Digest(t.Context(), f, info.Size())
			if err != nil {
				t.Fatal(err)
			}
			cache.store(v, list)
		}
	}
	digest()
	digest()
	if computed != 1 {
		t.Errorf("computed %d times", computed)
	}
	other := old.Add(time.Minute)
	if err := os.Chtimes(path, other, other); err != nil {
		t.Fatal(err)
	}
	digest()
	if computed != 2 {
		t.Errorf("computed %d times for two versions", computed)
	}
	cache.clean(time.Now().Add(cacheAge + time.Minute))
	digest()
	if computed != 3 {
		t.Errorf("computed %d times, the last time after a long pause", computed)
	}
}
