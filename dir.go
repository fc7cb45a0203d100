package ferry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// The defaults of a Dir.
const (
	DefaultMaxParts   = 64
	DefaultMaxPartAge = 7 * 24 * time.Hour
)

// A Dir keeps the files that arrive in a directory, and opens the files of the directory
// for those who ask: it is a [Handler] and an [Opener].
//
// A file is kept under the name that the sender offers, with the permission bits that it
// offers, less the process's umask; the owner can read and write it in any case. The file
// appears under its name only when it is whole and verified. Until then a temporary file
// beside it holds the data; its name begins with a dot. A transfer that fails leaves
// nothing behind. If the process is killed the temporary files stay, and the next process
// that uses the directory removes them.
//
// An offer from a protocol without names (see [Offer]) is named after the time (UTC) and
// the sender's address, such as 20260314T150405.000000_10.0.0.2_50123.
//
// A name must be a file name in UTF-8. It is refused if it holds control characters, or
// characters that are invisible or change the direction of text, and, on Windows, if
// Windows reserves it.
//
// A Dir may serve several receivers and servers at once. It must not be copied, and its
// fields must not change while it is used.
type Dir struct {
	// Root is the directory. No name and no link leads out of it. The caller closes it
	// after the transfers.
	Root *os.Root
	// ReadOnly refuses everything that arrives.
	ReadOnly bool
	// Overwrite lets a transfer replace a regular file, whose permissions and, where
	// permitted, owner stay as they are. Otherwise a name that is taken is refused. Of two
	// transfers with the same name that are under way at once, the first to finish has
	// the name.
	Overwrite bool
	// InPlace, with Overwrite, lets a transfer replace a file that can be written in a
	// directory that cannot. The file is overwritten when all of it has arrived, but not
	// at one stroke: a reader may see a part of both.
	InPlace bool
	// Subdirectories accepts names with directories, separated by slashes or backslashes.
	// The directories must exist. Otherwise such a name is refused.
	Subdirectories bool
	// DotFiles accepts names that begin with a dot or a hyphen. Otherwise they are refused.
	DotFiles bool
	// PortableNames refuses the names that Windows reserves, on every system.
	PortableNames bool
	// MaxSize is the largest file that is accepted, in bytes. 0 means no limit. A file
	// whose size is not known beforehand fails when it becomes larger. A file that is
	// larger than the room on the disk is refused in any case.
	MaxSize int64
	// Resume keeps the part of a file that has arrived when a transfer fails. A later
	// offer of the same name, size and digest continues after that part. The sender must
	// know the digest beforehand ([Source.Digest]). The part is called
	// .NAME.DIGEST.SIZE.part, with the first 16 digits of the digest. Nothing is kept if
	// the disk is full.
	Resume bool
	// MaxParts bounds the number of parts in the directory. The shortest are removed
	// first. 0 means DefaultMaxParts, negative no limit.
	MaxParts int
	// MaxPartAge is how long a part is kept. 0 means DefaultMaxPartAge, negative no limit.
	MaxPartAge time.Duration
	// MaxPartBytes bounds the sum of the parts. The oldest are removed first. 0 means a
	// tenth of the room that the disk has without them, negative no limit.
	MaxPartBytes int64

	mu        sync.Mutex
	collected map[string]bool // directories in which old temporary files were removed
}

// Accept implements [Handler].
func (d *Dir) Accept(o Offer) (Sink, error) {
	name, err := d.nameFor(o)
	if err != nil {
		return nil, err
	}
	return d.accept(name, o, "")
}

// SaveAs returns a Handler that keeps a file as name in the directory, whatever the sender
// calls it. The rules for names do not apply. Later transfers replace earlier ones.
func (d *Dir) SaveAs(name string) Handler {
	return HandlerFunc(func(o Offer) (Sink, error) { return d.accept(name, o, name) })
}

// SaveAs returns a Handler that keeps a file as name in root, whatever the sender calls
// it, and replaces a regular file of that name; see [Dir.SaveAs].
func SaveAs(root *os.Root, name string) Handler {
	return (&Dir{Root: root, Overwrite: true}).SaveAs(name)
}

// accept makes the sink for a path in the directory. Old temporary files are removed
// first: those of one name, or all.
func (d *Dir) accept(name string, o Offer, collect string) (Sink, error) {
	switch {
	case d.ReadOnly:
		return nil, fmt.Errorf("the directory is read-only: %w", fs.ErrPermission)
	case d.MaxSize > 0 && o.Size > d.MaxSize:
		return nil, fmt.Errorf("%w: %d bytes, at most %d are accepted", ErrTooLarge, o.Size, d.MaxSize)
	}
	if err := wholefile.CheckTaken(d.Root, name, d.Overwrite); err != nil {
		return nil, err
	}
	parent, base := path.Split(name)
	dir, err := d.open(parent)
	if err != nil {
		return nil, explain(err)
	}
	d.collect(dir, parent, collect)
	sink, err := d.create(dir, base, o)
	if err != nil {
		return nil, errors.Join(explain(err), d.close(dir))
	}
	return sink, nil
}

// open returns the directory that a file goes to.
func (d *Dir) open(parent string) (*os.Root, error) {
	if parent == "" {
		return d.Root, nil
	}
	return d.Root.OpenRoot(parent)
}

// close closes a directory that open returned.
func (d *Dir) close(dir *os.Root) error {
	if dir == d.Root {
		return nil
	}
	return dir.Close()
}

// collect removes once what earlier processes left in a directory.
func (d *Dir) collect(dir *os.Root, parent, name string) {
	d.mu.Lock()
	done := d.collected[parent]
	if d.collected == nil {
		d.collected = make(map[string]bool)
	}
	d.collected[parent] = true
	d.mu.Unlock()
	if !done {
		wholefile.Collect(dir, name)
	}
}

// nameFor returns the path under which an offered file is kept.
func (d *Dir) nameFor(o Offer) (string, error) {
	name := o.Name
	if o.Unnamed {
		name = unnamed(o, time.Now())
	}
	elems := []string{name}
	if d.Subdirectories {
		elems = elements(strings.ReplaceAll(name, `\`, "/"))
	}
	if len(elems) == 0 {
		elems = []string{""}
	}
	rules := wholefile.Names{DotFiles: d.DotFiles, Portable: d.PortableNames}
	for _, elem := range elems {
		if err := rules.Check(elem); err != nil {
			return "", err
		}
	}
	return strings.Join(elems, "/"), nil
}

// unnamed makes a file name that every system allows; the colons of IPv6 are not.
func unnamed(o Offer, now time.Time) string {
	addr := strings.NewReplacer(":", "-", "%", "-").Replace(o.Addr.Addr().String())
	return fmt.Sprintf("%s_%s_%d", now.UTC().Format("20060102T150405.000000"), addr, o.Addr.Port())
}
