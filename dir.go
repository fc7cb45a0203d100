package ferry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// A Dir keeps the files that arrive in a directory, and opens the files of the directory
// for those who ask: it is a [Handler] and an [Opener].
//
// A file is kept under the name that the sender offers, with the permission bits that it
// offers, less the process's umask. The file appears under its name only when it is
// whole and verified. Until then a temporary file beside it holds the data; its name
// begins with a dot. A transfer that fails leaves nothing behind. An offer from a
// protocol without names (see [Offer]) is named after the time (UTC) and the sender's
// address, such as 20260314T150405.000000_10.0.0.2_50123.
//
// A Dir may serve several receivers and servers at once. Its fields must not change while
// it is used.
type Dir struct {
	// Root is the directory. No name and no link leads out of it. The caller closes it
	// after the transfers.
	Root *os.Root
	// ReadOnly refuses everything that arrives.
	ReadOnly bool
	// Overwrite lets a transfer replace a file. Otherwise a name that is taken is
	// refused. Of two transfers with the same name that are under way at once, the first
	// to finish has the name.
	Overwrite bool
	// Subdirectories accepts names with directories. The directories must exist.
	// Otherwise such a name is refused.
	Subdirectories bool
	// DotFiles accepts names that begin with a dot or a hyphen. Otherwise they are refused.
	DotFiles bool
	// MaxSize is the largest file that is accepted, in bytes. 0 means no limit. A file
	// whose size is not known beforehand fails when it becomes larger.
	MaxSize int64
	// Resume keeps the part of a file that has arrived when a transfer fails. A later
	// offer of the same name and digest continues after that part. The sender must know
	// the digest beforehand ([Source.Digest]). The part is called .NAME.DIGEST.part, with
	// the first 16 digits of the digest.
	Resume bool
}

// Accept implements [Handler].
func (d *Dir) Accept(o Offer) (Sink, error) {
	if d.ReadOnly {
		return nil, fmt.Errorf("ferry: the directory is read-only: %w", fs.ErrPermission)
	}
	name, err := d.nameFor(o)
	if err != nil {
		return nil, err
	}
	if d.MaxSize > 0 && o.Size > d.MaxSize {
		return nil, fmt.Errorf("ferry: %w: %d bytes, at most %d are accepted", ErrTooLarge, o.Size, d.MaxSize)
	}
	if err := wholefile.CheckTaken(d.Root, name, d.Overwrite); err != nil {
		return nil, err
	}
	return d.create(name, o)
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
		return "", wholefile.CheckName("")
	}
	for _, elem := range elems {
		if err := wholefile.CheckName(elem); err != nil {
			return "", err
		}
		if !d.DotFiles && (elem[0] == '.' || elem[0] == '-') {
			return "", fmt.Errorf("ferry: name %q begins with a dot or a hyphen: %w", elem, fs.ErrInvalid)
		}
	}
	return strings.Join(elems, "/"), nil
}

// create makes the sink.
func (d *Dir) create(name string, o Offer) (Sink, error) {
	s := fileSink{replace: d.Overwrite, room: d.MaxSize}
	parent, base := path.Split(name)
	if parent == "" {
		return s.open(d.Root, base, o, d.Resume)
	}
	dir, err := d.Root.OpenRoot(parent)
	if err != nil {
		return nil, err
	}
	s.dir = dir
	sink, err := s.open(dir, base, o, d.Resume)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return sink, nil
}

// unnamed makes a file name that every system allows; the colons of IPv6 are not.
func unnamed(o Offer, now time.Time) string {
	addr := strings.NewReplacer(":", "-", "%", "-").Replace(o.Addr.Addr().String())
	return fmt.Sprintf("%s_%s_%d", now.UTC().Format("20060102T150405.000000"), addr, o.Addr.Port())
}

// Open implements [Opener]. It opens every regular file in the directory. Slashes at the
// beginning, and elements that are empty or a dot, are skipped. If there is no file of
// the name, backslashes are taken for slashes: boot loaders send them. A name with .. is
// refused.
func (d *Dir) Open(_ context.Context, r Request) (Source, error) {
	return openFile(r.Name, d.Root.Stat, func(name string) (fs.File, error) { return d.Root.Open(name) })
}

// FS returns an Opener for the files of fsys, with the rules of [Dir.Open].
func FS(fsys fs.FS) Opener { return fsOpener{fsys} }

type fsOpener struct{ fsys fs.FS }

func (o fsOpener) Open(_ context.Context, r Request) (Source, error) {
	return openFile(r.Name, func(name string) (fs.FileInfo, error) { return fs.Stat(o.fsys, name) }, o.fsys.Open)
}

// openFile opens a file that was asked for.
func openFile(asked string, stat func(string) (fs.FileInfo, error), open func(string) (fs.File, error)) (Source, error) {
	name, err := readable(asked)
	if err != nil {
		return Source{}, err
	}
	// The file must not be opened before this: opening a pipe waits for a writer.
	info, err := stat(name)
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(asked, `\`) {
		if name, err = readable(strings.ReplaceAll(asked, `\`, "/")); err != nil {
			return Source{}, err
		}
		info, err = stat(name)
	}
	if err != nil {
		return Source{}, err
	}
	if !info.Mode().IsRegular() {
		return Source{}, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	f, err := open(name)
	if err != nil {
		return Source{}, err
	}
	src, err := FileSource(f)
	if err != nil {
		return Source{}, errors.Join(err, f.Close())
	}
	return src, nil
}

// errNotRegular refuses directories, devices and pipes.
var errNotRegular = fmt.Errorf("not a regular file: %w", fs.ErrPermission)

// readable returns the path in the directory that a requested name stands for.
func readable(name string) (string, error) {
	elems := elements(name)
	for _, elem := range elems {
		if elem == ".." {
			return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
		}
	}
	if len(elems) == 0 || strings.IndexByte(name, 0) >= 0 {
		return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return strings.Join(elems, "/"), nil
}

// elements cuts a path at its slashes, without the elements that mean nothing.
func elements(name string) (elems []string) {
	for elem := range strings.SplitSeq(name, "/") {
		if elem != "" && elem != "." {
			elems = append(elems, elem)
		}
	}
	return elems
}
