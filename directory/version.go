package directory

import (
	"fmt"
	"io/fs"
	"os"
	"time"
)

// A version is what tells one version of a file from another without reading it: which
// file it is, its size, and its times. A program can set the modification time back. It
// cannot set the time of the last change of the inode.
type version struct {
	info   fs.FileInfo
	change time.Time // of the inode; zero where the system has none
	dev    uint64    // with ino, the identity of the file; 0 where the system has none
	ino    uint64
}

func (v version) equal(w version) bool {
	return os.SameFile(v.info, w.info) && v.info.Size() == w.info.Size() &&
		v.info.ModTime().Equal(w.info.ModTime()) && v.change.Equal(w.change)
}

// String identifies the version in the digest cache.
func (v version) String() string {
	return fmt.Sprintf("%x %x %d %d %d", v.dev, v.ino, v.info.Size(), v.info.ModTime().UnixNano(), v.change.UnixNano())
}

// settled reports whether a later change of the file would be seen in its times. An entity
// tag is strong only if it changes with every change of the file (RFC 9110, section 8.8.1).
// A change within the grain of the time stamps may leave them as they are.
func (v version) settled(now time.Time) bool {
	for _, t := range []time.Time{v.info.ModTime(), v.change} {
		if !t.IsZero() && now.Sub(t).Abs() <= grain(t) {
			return false
		}
	}
	return true
}

// clockGrain is how often the clock of the file system ticks, at least.
const clockGrain = 20 * time.Millisecond

// grain returns how far apart two changes must be to have different time stamps, as far as
// the stamp tells. FAT has two seconds; ext3, HFS+ and some NFS servers have one.
func grain(t time.Time) time.Duration {
	switch ns := time.Duration(t.Nanosecond()); {
	case ns == 0:
		return 2 * time.Second
	case ns%(100*time.Millisecond) == 0:
		return 200 * time.Millisecond
	}
	return clockGrain
}
