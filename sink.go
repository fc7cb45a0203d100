package ferry

import (
	"io"
	"io/fs"
	"time"
)

// A Sink takes the bytes of one transfer. Its methods are called one after another:
// Write in the order of the file, and then exactly one of Commit and Abort. While a
// method blocks, a receiver with one goroutine answers no packet; see the protocol.
//
// A Sink may have further methods, which a protocol uses if it can: those of
// [Resumer], [Tree] and io.WriterAt. A Sink with WriteAt accepts bytes in any order, and
// need not be given zeros: bytes that were never written read as zeros.
type Sink interface {
	// Write takes the next bytes. It must not keep b. An error ends the transfer.
	io.Writer
	// Commit is called when the file is whole and, if the protocol has a digest,
	// verified. The other side is told that the file is safe only after Commit has
	// returned nil. If Commit fails it leaves nothing behind: Abort is not called.
	// Commit may be called from another goroutine than the other methods.
	Commit() error
	// Abort is called when the file will never be whole. cause says why.
	Abort(cause error)
}

// A Resumer is a Sink that may already hold the beginning of the file, from a transfer
// that was cut off. It is used only for an offer with a digest and a size.
type Resumer interface {
	Sink
	// ReadAt reads the bytes that Resume reported and those that Write has taken. The
	// protocol compares the digest of all of them before Commit.
	io.ReaderAt
	// Resume returns how many bytes of the beginning are held: the whole file, or a
	// multiple of chunk. Write continues after them, and WriteAt may overwrite them.
	// Resume is called once, before Write, and changes nothing that is held.
	Resume(chunk int) (held int64, err error)
}

// A Tree is a Sink for an offer that carries a tree of files. The bytes of the files
// follow each other in the order of the entries.
type Tree interface {
	Sink
	// Begin is called once, before Write. An error refuses the tree.
	Begin(entries []Entry) error
	// Finish is called when all bytes of an entry have been written. Its digest has been
	// verified. The entry takes its name now; Commit ends the whole tree.
	Finish(entry int) error
}

// An Entry is a file or a directory of a tree.
type Entry struct {
	// Path is a local path with slashes, checked by the protocol with filepath.IsLocal.
	Path    string
	Size    int64
	Mode    fs.FileMode
	ModTime time.Time
}

// A writerSink lets an io.Writer take one transfer; it has nothing to undo.
type writerSink struct{ io.Writer }

func (writerSink) Commit() error { return nil }
func (writerSink) Abort(error)   {}
