package ferry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Open implements [Opener]. It opens every regular file in the directory. It skips
// leading slashes, and elements that are empty or a dot. If the file does not exist, Open
// takes backslashes for slashes, because boot loaders send them. It refuses a name with an
// element "..".
//
// A link may have an absolute target if that is in the directory.
func (d *Dir) Open(_ context.Context, r Request) (Source, error) {
	open := func(name string) (fs.File, error) { return d.Root.OpenFile(name, os.O_RDONLY|nonblock, 0) }
	src, err := openFile(r.Name, d.Root.Stat, open)
	if isEscape(err) {
		if name, ok := d.resolve(r.Name); ok {
			src, err = openFile(name, d.Root.Stat, open)
		}
	}
	return src, explain(err)
}

// resolve finds the path in the directory that a name stands for after all links.
func (d *Dir) resolve(name string) (string, bool) {
	dir, err := filepath.EvalSymlinks(d.Root.Name())
	if err != nil {
		return "", false
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", false
	}
	asked, err := readable(name)
	if err != nil {
		return "", false
	}
	file, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(asked)))
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(dir, file)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

// FS returns an Opener for the files of fsys, with the rules of [Dir.Open].
func FS(fsys fs.FS) Opener { return fsOpener{fsys} }

type fsOpener struct{ fsys fs.FS }

func (o fsOpener) Open(_ context.Context, r Request) (Source, error) {
	src, err := openFile(r.Name, func(name string) (fs.FileInfo, error) { return fs.Stat(o.fsys, name) }, o.fsys.Open)
	return src, explain(err)
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
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	var src Source
	if err == nil {
		src, err = FileSource(f)
	}
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
	if len(elems) == 0 || slices.Contains(elems, "..") || strings.IndexByte(name, 0) >= 0 {
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
