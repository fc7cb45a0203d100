package octoput

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

func openRoot(t testing.TB) (*os.Root, string) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// names lists a directory, hidden files included.
func names(t testing.TB, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func contents(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestDir(t *testing.T) {
	root, dir := openRoot(t)
	if err := root.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := root.WriteFile("sub/e", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, &ferry.Dir{Root: root, DotFiles: true, PortableNames: true})
		files := map[string][]byte{"a": noise(1, 20_000), "b c": nil, ".d": []byte("  \n")}
		for name, data := range files {
			src := source(data)
			src.Name = name
			if _, err := (&Sender{}).Send(t.Context(), p.sender, p.to, src); err != nil {
				t.Error(err)
			}
		}
		for name, want := range map[string]error{
			"":       fs.ErrInvalid,
			"../e":   fs.ErrInvalid,
			"/tmp/e": fs.ErrInvalid,
			`..\e`:   fs.ErrInvalid,
			"sub/e":  fs.ErrInvalid,
			"..":     fs.ErrInvalid,
			"NUL":    fs.ErrInvalid,
			"e\x00":  fs.ErrInvalid,
			"e\xff":  fs.ErrInvalid,
			"C:e":    fs.ErrInvalid,
			"a":      fs.ErrExist,
			".d":     fs.ErrExist,
		} {
			src := source([]byte("x"))
			src.Name = name
			if _, err := (&Sender{}).Send(t.Context(), p.sender, p.to, src); !errors.Is(err, want) {
				t.Errorf("%q: %v, want %v", name, err, want)
			}
		}
		p.stop()
		if got := names(t, dir); len(got) != len(files)+1 {
			t.Errorf("files %q, want %d and a directory", got, len(files))
		}
		for name, data := range files {
			if got := contents(t, dir, name); got != string(data) {
				t.Errorf("%s: %d bytes, want %d", name, len(got), len(data))
			}
		}
	})
}

// Of two that send the same name at the same time the first to finish has it.
func TestDirRace(t *testing.T) {
	root, dir := openRoot(t)
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{}, &ferry.Dir{Root: root})
		h.begin(7, []byte("first"), 8)
		h.begin(8, []byte("second"), 8)
		h.writes(fin(8, []byte("second")))
		h.until(Ack, 2, AllLegs)
		h.drain()
		h.writes(fin(7, []byte("first")))
		h.wantsCode(CodeExists)
		p.stop()
		if got := contents(t, dir, "f"); got != "second" || len(names(t, dir)) != 1 {
			t.Errorf("%q in files %q", got, names(t, dir))
		}
	})
}

// A file is there only when it is whole and verified, and an unfinished one leaves
// nothing.
func TestSaveAs(t *testing.T) {
	root, dir := openRoot(t)
	if err := os.WriteFile(filepath.Join(dir, "g"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{}, ferry.SaveAs(root, "g"))
		h.begin(7, []byte("abc"), 8)
		if got := contents(t, dir, "g"); got != "old" {
			t.Errorf("before the FIN it holds %q, want the old contents", got)
		}
		h.writes(fin(7, []byte("abc")))
		h.until(Ack, 2, AllLegs)
		if got := contents(t, dir, "g"); got != "abc" {
			t.Errorf("afterwards it holds %q", got)
		}
		h.drain()
		h.begin(8, []byte("xyz"), 8)
		h.writes(fin(8, []byte("xy")))
		h.drain()
		h.begin(9, []byte("xyz"), 8)
		p.stop() // in mid-file
		if got := contents(t, dir, "g"); got != "abc" {
			t.Errorf("after unfinished transfers it holds %q", got)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("files %q are left, want g alone", got)
		}
	})
}

// Where there is such a file already, the sender learns it before it has sent anything.
func TestDirRefusesAtOnce(t *testing.T) {
	root, dir := openRoot(t)
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p, h := newHand(t, Receiver{}, &ferry.Dir{Root: root})
		h.writes(open(7, Opening{Size: 8, Name: "f"}))
		h.wantsCode(CodeExists)
		p.stop()
	})
}

// SaveAs replaces a file, and nothing else: a device, above all, must not be.
func TestSaveAsReplacesFilesAlone(t *testing.T) {
	root, dir := openRoot(t)
	makeTraps(t, dir)
	if err := root.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t, dir) {
		before, err := root.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := ferry.SaveAs(root, name).Accept(ferry.Offer{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
		if after, err := root.Lstat(name); err != nil || after.Mode() != before.Mode() {
			t.Errorf("%s is now %v, %v", name, after, err)
		}
	}
}

// A disk that fills up at any octoblock ends the transfer with an error that says
// so, and leaves no partial file.
func TestDiskFull(t *testing.T) {
	root, dir := openRoot(t)
	for full := range 4 {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, lossy.Delay(time.Millisecond))
			var ended error
			trace := &Trace{Finished: func(e TransferEvent) { err := e.Err; ended = err }}
			p.serve(Receiver{Trace: trace}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
				sink, err := (&ferry.Dir{Root: root}).Accept(o)
				return &fullDisk{Sink: sink, room: BlockSize * full}, err
			}))
			_, err := p.send(Sender{}, noise(1, 3*BlockSize+50))
			var said *RemoteError
			if !errors.As(err, &said) || said.Code != CodeFailed {
				t.Errorf("Send: %v", err)
			}
			p.stop()
			if !errors.Is(ended, syscall.ENOSPC) {
				t.Errorf("full after %d octoblocks: %v", full, ended)
			}
			if got := names(t, dir); len(got) != 0 {
				t.Errorf("full after %d octoblocks: files %q are left", full, got)
			}
		})
	}
}

type fullDisk struct {
	ferry.Sink
	room int
}

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, &os.PathError{Op: "write", Path: "f", Err: syscall.ENOSPC}
	}
	return d.Sink.Write(b)
}

// A writer that takes less than it is given, and says nothing, has failed.
func TestShortWrite(t *testing.T) {
	if err := write(shortWriter{}, []byte("ab")); err == nil {
		t.Error("no error")
	}
	if err := write(&bytes.Buffer{}, []byte("ab")); err != nil {
		t.Error(err)
	}
}

type shortWriter struct{}

func (shortWriter) Write(b []byte) (int, error) { return len(b) - 1, nil }
