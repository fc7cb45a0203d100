package directory

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/ferrygo/ferry/directory/fetch"
)

// A digestCache keeps the digests of large files on the disk, so that a peer that starts
// again need not read the files first. A nil cache keeps nothing. An entry is a file named
// after the device and inode. Its first line is the version, and the rest is the piece
// list. All errors mean that the digests are computed again.
type digestCache struct{ root *os.Root }

const (
	// cacheMin is the size of the smallest file whose digests are kept. Smaller files
	// are digested in a fraction of a second.
	cacheMin = 64 << 20
	// cacheAge is how long an entry is kept that is not used.
	cacheAge = 90 * 24 * time.Hour
)

func (c *digestCache) name(v version) string { return fmt.Sprintf("%x-%x.pieces", v.dev, v.ino) }

// holds reports whether the digests of a file may be kept.
func (c *digestCache) holds(v version) bool {
	return c != nil && v.ino != 0 && v.info.Size() >= cacheMin
}

func (c *digestCache) load(v version) *fetch.Pieces {
	if !c.holds(v) {
		return nil
	}
	f, err := c.root.Open(c.name(v))
	if err != nil {
		return nil
	}
	defer f.Close()
	r := bufio.NewReader(f)
	line, err := r.ReadString('\n')
	if err != nil || strings.TrimSuffix(line, "\n") != v.String() {
		return nil
	}
	p, err := fetch.ReadPieces(r)
	if err != nil || p.Size != v.info.Size() {
		return nil
	}
	now := time.Now()
	_ = c.root.Chtimes(c.name(v), now, now)
	return p
}

func (c *digestCache) store(v version, p *fetch.Pieces) {
	if !c.holds(v) {
		return
	}
	b, _ := p.AppendText([]byte(v.String() + "\n"))
	if c.root.WriteFile(c.name(v)+".new", b, 0o600) == nil {
		_ = c.root.Rename(c.name(v)+".new", c.name(v))
	}
}

// clean removes entries that were not used for long.
func (c *digestCache) clean(now time.Time) {
	if c == nil {
		return
	}
	names, _ := fs.Glob(c.root.FS(), "*.pieces*")
	for _, name := range names {
		if info, err := c.root.Lstat(name); err == nil && now.Sub(info.ModTime()) > cacheAge {
			_ = c.root.Remove(name)
		}
	}
}
