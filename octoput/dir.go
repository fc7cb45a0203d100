package octoput

import (
	"os"

	"github.com/ferrygo/ferry/internal/wholefile"
)

// fileMode is the mode of received files, before the umask.
const fileMode = 0o666

// Dir returns a Handler that keeps every transfer in root, as a file of the name that
// the sender gives it. A file appears there only when it is whole and verified; until
// then a temporary file, whose name begins with a dot, holds it, and goes away when the
// transfer fails.
//
// A name that is no file's name on some system is refused, and so are names with a
// directory in them. An existing file is never overwritten: the transfer is refused.
func Dir(root *os.Root) Handler {
	return HandlerFunc(func(o Offer) (Sink, error) {
		if err := wholefile.CheckName(o.Name); err != nil {
			return nil, err
		}
		return newFileSink(root, o.Name, false)
	})
}

// SaveAs returns a Handler that keeps a transfer as the file name in root, whatever its
// sender calls it, and replaces the file if it exists. It appears, as with [Dir], whole
// or not at all. Later transfers replace earlier ones.
func SaveAs(root *os.Root, name string) Handler {
	return HandlerFunc(func(Offer) (Sink, error) {
		return newFileSink(root, name, true)
	})
}

// A fileSink writes a temporary file and gives it its name at the end.
type fileSink struct {
	*wholefile.File
	replace bool
}

func newFileSink(root *os.Root, name string, replace bool) (Sink, error) {
	// At once, so that the sender need not send all of it to learn this.
	if err := wholefile.CheckTaken(root, name, replace); err != nil {
		return nil, err
	}
	f, err := wholefile.Create(root, name, fileMode)
	if err != nil {
		return nil, err
	}
	return fileSink{f, replace}, nil
}

func (s fileSink) Commit() error { return s.File.Commit(s.replace) }

// Abort removes the temporary file. If even that fails there is nobody left to tell.
func (s fileSink) Abort(error) { _ = s.File.Abort() }
