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

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/directory/fetch"
	"github.com/ferrygo/ferry/internal/wholefile"
)

// A shareStore holds what a peer shares: names of files, and their digests. Other files
// in the directory are not served. Any number of goroutines may call its methods.
type shareStore struct {
	mu     sync.Mutex
	names  []string // in the order in which they were shared
	shares map[string]*share
}

// A share is one shared file. Its digests are those of one version.
type share struct {
	turn chan struct{} // held while the digests are computed

	mu      sync.Mutex
	version version
	pieces  *fetch.Pieces
}

// A digestHook is told that a file of size bytes was digested, or why not. It may be nil.
type digestHook func(size int64, err error)

var (
	// errChanging: the file changed while it was read.
	errChanging = errors.New("directory: the file keeps changing")
	// errPreparing: the digests of the file are not there yet.
	errPreparing = errors.New("directory: the digests are being computed")
)

// add shares a file. Sharing it again does nothing.
func (s *shareStore) add(root *os.Root, name string) error {
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
	if s.shares[name] != nil {
		return nil
	}
	if s.shares == nil {
		s.shares = make(map[string]*share)
	}
	s.shares[name] = &share{turn: make(chan struct{}, 1)}
	s.names = append(s.names, name)
	return nil
}

// remove stops sharing a file. It reports whether it was shared.
func (s *shareStore) remove(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shares[name] == nil {
		return false
	}
	delete(s.shares, name)
	s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == name })
	return true
}

// list returns the names of the shared files.
func (s *shareStore) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

// share returns what is known of a name, nil if it is not shared.
func (s *shareStore) share(name string) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shares[name]
}

// open opens a shared file. The caller closes it.
func open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	// The name may belong to a pipe now. Opening a pipe could block.
	info, err := root.Stat(name)
	if err != nil {
		return nil, nil, gone(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, gone(err)
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// gone makes an fs.ErrNotExist of the reason why a file cannot be opened any more: it was
// removed, or replaced by a link out of the directory. The difference is not told to
// clients.
func gone(err error) error { return fmt.Errorf("%w: %w", fs.ErrNotExist, err) }

// known returns the digests if they are those of this version of the file.
func (s *share) known(v version) *fetch.Pieces {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pieces == nil || !s.version.equal(v) {
		return nil
	}
	return s.pieces
}

func (s *share) keep(v version, p *fetch.Pieces) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.pieces = v, p
}

// digests returns the digests of the open file, nil for a file that is too large to have
// a piece list. One goroutine computes them, and the others wait for it.
func (s *share) digests(ctx context.Context, f *os.File, info fs.FileInfo, cache *digestCache, digested digestHook) (*fetch.Pieces, error) {
	v := versionOf(info)
	if p := s.known(v); p != nil {
		return p, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if p := s.known(v); p != nil {
		return p, nil
	}
	settled := v.settled(time.Now())
	if settled {
		if p := cache.load(v); p != nil {
			s.keep(v, p)
			return p, nil
		}
	}
	p, err := fetch.Digest(ctx, f, info.Size())
	if err == nil {
		// If the file has changed meanwhile, these are the digests of no version.
		if now, e := f.Stat(); e != nil || !v.equal(versionOf(now)) {
			err = errChanging
		}
	}
	if digested != nil {
		digested(info.Size(), err)
	}
	if errors.Is(err, ferry.ErrTooLarge) {
		return nil, nil
	}
	if err == nil && settled {
		s.keep(v, p)
		cache.store(v, p)
	}
	return p, err
}
