package tftp

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// fileMode is the mode of received files, before the umask.
const fileMode = 0o666

// FS returns a Handler that serves the files of fsys and takes none. A leading slash in
// a name is the tree's root; backslashes are slashes, as boot loaders for Windows write
// them, and empty and . elements are skipped. Names that are not local to the tree, such
// as ../secret, and those that some system reserves are refused with code 2, and so is
// everything that is not a regular file.
func FS(fsys fs.FS) Handler { return fsHandler{fsys} }

type fsHandler struct{ fsys fs.FS }

func (h fsHandler) Open(_ context.Context, r *Request) (Source, error) {
	name, err := localName(r.Name)
	if err != nil {
		return Source{}, err
	}
	// To open a pipe would wait for its other end.
	info, err := fs.Stat(h.fsys, name)
	if err != nil {
		return Source{}, err
	}
	if !info.Mode().IsRegular() {
		return Source{}, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	f, err := h.fsys.Open(name)
	if err != nil {
		return Source{}, err
	}
	src, err := FileSource(f)
	if err != nil {
		return Source{}, errors.Join(err, f.Close())
	}
	return src, nil
}

func (fsHandler) Create(context.Context, *Request) (Sink, error) { return nil, fs.ErrPermission }

// localName is the path in the served tree that a name from the network stands for.
func localName(name string) (string, error) {
	var elems []string
	for elem := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		if elem == "" || elem == "." {
			continue
		}
		if err := wholefile.CheckName(elem); err != nil {
			return "", err
		}
		elems = append(elems, elem)
	}
	if len(elems) == 0 {
		return "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return strings.Join(elems, "/"), nil
}

// Dir returns a Handler that serves the files of root, as [FS] does, and takes none. No
// name and no link leads out of root.
func Dir(root *os.Root) Handler { return Directory{Root: root} }

// A Directory is a Handler that serves the files of a directory, and takes files if it
// may.
type Directory struct {
	// Root is the directory. No name and no link leads out of it.
	Root *os.Root
	// Write lets clients write files. A file appears only when it is whole; until then
	// a temporary file, whose name begins with a dot, holds it, and goes away when the
	// transfer fails. Directories must exist.
	Write bool
	// Overwrite lets clients replace files.
	Overwrite bool
}

// Open opens a file to be read.
func (d Directory) Open(ctx context.Context, r *Request) (Source, error) {
	return fsHandler{d.Root.FS()}.Open(ctx, r)
}

// Create begins a file.
func (d Directory) Create(_ context.Context, r *Request) (Sink, error) {
	if !d.Write {
		return nil, fs.ErrPermission
	}
	name, err := localName(r.Name)
	if err != nil {
		return nil, err
	}
	return newFileSink(d.Root, name, d.Overwrite)
}

// SaveAs returns a Sink for [Client.Get] that keeps a file as name in root, whole or not
// at all. A file of that name is replaced; anything else, such as a device, is not, and
// the error is an fs.ErrExist.
func SaveAs(root *os.Root, name string) (Sink, error) {
	return newFileSink(root, name, true)
}

// A fileSink writes a temporary file and gives it its name at the end.
type fileSink struct {
	*wholefile.File
	dir     *os.Root
	replace bool
}

func newFileSink(root *os.Root, name string, replace bool) (Sink, error) {
	// Before the transfer and not after it.
	if err := wholefile.CheckTaken(root, name, replace); err != nil {
		return nil, err
	}
	// A Root of its own: whoever asked may close theirs before the transfer is over.
	dir, err := root.OpenRoot(path.Dir(name))
	if err != nil {
		return nil, err
	}
	f, err := wholefile.Create(dir, path.Base(name), fileMode)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return fileSink{f, dir, replace}, nil
}

func (s fileSink) Commit() error {
	return errors.Join(s.File.Commit(s.replace), s.dir.Close())
}

// Abort removes the temporary file. If even that fails there is nobody left to tell.
func (s fileSink) Abort(error) {
	_ = s.File.Abort()
	_ = s.dir.Close()
}
