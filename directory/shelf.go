package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ferrygo/ferry/directory/fetch"
	"github.com/ferrygo/ferry/internal/wholefile"
)

// A shelf is what a peer shares: names of files, and what is known of their contents.
// Only these are served, whatever else lies in the directory. Its methods may be called
// by any number of goroutines.
type shelf struct {
	mu    sync.Mutex
	names []string // in the order in which they were shared
	items map[string]*item
}

// An item is one shared file. Its digests are of one version of it, and computed once
// for that.
type item struct {
	turn chan struct{} // held while the digests are computed

	mu      sync.Mutex
	version fs.FileInfo
	pieces  *fetch.Pieces
}

// A digestHook is told that a file of size bytes was digested, or why not. It may be nil.
type digestHook func(size int64, err error)

// errBusy is for a file that changes while it is being read.
var errBusy = errors.New("directory: the file keeps changing")

// add shares a file. Sharing it again does nothing.
func (s *shelf) add(root *os.Root, name string) error {
	if err := wholefile.CheckName(name); err != nil {
		return fmt.Errorf("directory: sharing: %w", err)
	}
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "share", Path: name, Err: errors.New("not a regular file")}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[name] != nil {
		return nil
	}
	if s.items == nil {
		s.items = make(map[string]*item)
	}
	s.items[name] = &item{turn: make(chan struct{}, 1)}
	s.names = append(s.names, name)
	return nil
}

// remove stops sharing a file. It reports whether it was shared.
func (s *shelf) remove(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[name] == nil {
		return false
	}
	delete(s.items, name)
	s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == name })
	return true
}

// list returns the names of what is shared.
func (s *shelf) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

// item returns what is known of a name, nil if it is not shared.
func (s *shelf) item(name string) *item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[name]
}

// known returns the digests if they are those of this version of the file.
func (it *item) known(info fs.FileInfo) *fetch.Pieces {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.pieces == nil || !sameVersion(it.version, info) {
		return nil
	}
	return it.pieces
}

func sameVersion(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// open opens a shared file and returns it with its digests, which it computes where
// they are not known. The caller closes the file.
func (it *item) open(ctx context.Context, root *os.Root, name string, digested digestHook) (
	f *os.File, info fs.FileInfo, p *fetch.Pieces, err error,
) {
	// What is no file any more (a pipe, say) must not be opened: that could block.
	if info, err = root.Stat(name); err != nil {
		return nil, nil, nil, gone(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, nil, fs.ErrNotExist
	}
	if f, err = root.Open(name); err != nil {
		return nil, nil, nil, gone(err)
	}
	if info, err = f.Stat(); err == nil {
		p, err = it.digests(ctx, f, info, digested)
	}
	if err != nil {
		f.Close()
		return nil, nil, nil, err
	}
	return f, info, p, nil
}

// gone says that a file cannot be had any more: it was removed, or replaced by what
// leads out of the directory. It is all the same to whoever asks for it.
func gone(err error) error { return fmt.Errorf("%w: %w", fs.ErrNotExist, err) }

// digests returns the digests of the open file. One goroutine computes, the others wait
// for it.
func (it *item) digests(ctx context.Context, f *os.File, info fs.FileInfo, digested digestHook) (*fetch.Pieces, error) {
	if p := it.known(info); p != nil {
		return p, nil
	}
	select {
	case it.turn <- struct{}{}:
		defer func() { <-it.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if p := it.known(info); p != nil {
		return p, nil
	}
	p, err := fetch.Digest(ctx, f, info.Size())
	if err == nil {
		// If it has changed meanwhile these are the digests of nothing.
		if now, e := f.Stat(); e != nil || !sameVersion(info, now) {
			err = errBusy
		}
	}
	if digested != nil {
		digested(info.Size(), err)
	}
	if err != nil {
		return nil, err
	}
	// A file that was changed within the clock's grain could change again unseen: then
	// its digests are not kept.
	if time.Since(info.ModTime()).Abs() > clockGrain {
		it.mu.Lock()
		it.version, it.pieces = info, p
		it.mu.Unlock()
	}
	return p, nil
}

// clockGrain is how old a change must be before the next is sure to have another time.
// File systems count in nanoseconds, but by a clock that ticks each 10 ms at most.
const clockGrain = 20 * time.Millisecond
