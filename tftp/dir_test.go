package tftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry/lossy"
)

// TestDir serves files of a directory, and takes them if it may: whole, and local.
func TestDir(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "hello", "sub/b": "there", "../outside": "no"} {
		os.MkdirAll(dir+"/in/sub", 0o777)
		if err := os.WriteFile(dir+"/in/"+name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("../outside", dir+"/in/link")
	root, err := os.OpenRoot(dir + "/in")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx := context.Background()
	for _, h := range []Handler{Dir(root), FS(root.FS())} {
		for name, want := range map[string]error{
			"a": nil, "/a": nil, "//sub/b": nil, "sub": fs.ErrPermission, "": fs.ErrInvalid, "/": fs.ErrInvalid,
			"../outside": fs.ErrInvalid, "sub/../a": fs.ErrInvalid, "link": errAny, "nonsuch": fs.ErrNotExist,
			"a\xff": fs.ErrInvalid, "NUL": fs.ErrInvalid, "sub\\b": nil, "\\sub\\b": nil, ".\\sub//./b": nil,
			"sub\\..\\a": fs.ErrInvalid, "..\\outside": fs.ErrInvalid, "./": fs.ErrInvalid, "C:/a": fs.ErrInvalid, "a\n": fs.ErrInvalid,
			strings.Repeat("x", 10_000): fs.ErrInvalid,
		} {
			src, err := h.Open(ctx, &Request{Op: RRQ, Name: name})
			if want == errAny && err != nil {
				continue
			}
			if !errors.Is(err, want) {
				t.Errorf("Open(%.20q): %v, want %v", name, err, want)
			}
			if err == nil {
				src.R.(io.Closer).Close()
			}
		}
		if _, err := h.Create(ctx, &Request{Op: WRQ, Name: "new"}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Create: %v", err)
		}
	}
	for _, tt := range []struct {
		d    Directory
		name string
		want error
	}{
		{Directory{Root: root, Write: true}, "/sub/new", nil},
		{Directory{Root: root, Write: true}, "a", fs.ErrExist},
		{Directory{Root: root, Write: true, Overwrite: true}, "a", nil},
		{Directory{Root: root, Write: true, Overwrite: true}, "sub", fs.ErrExist},
		{Directory{Root: root, Write: true}, "../x", fs.ErrInvalid},
		{Directory{Root: root, Write: true}, "no/x", fs.ErrNotExist},
	} {
		sink, err := tt.d.Create(ctx, &Request{Op: WRQ, Name: tt.name})
		if !errors.Is(err, tt.want) {
			t.Errorf("Create(%q): %v, want %v", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		sink.Write([]byte("new"))
		if b, err := os.ReadFile(dir + "/in/" + strings.TrimLeft(tt.name, "/")); string(b) == "new" {
			t.Errorf("%s is there before it is whole, %v", tt.name, err)
		}
		if err := sink.Commit(); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(dir + "/in/" + strings.TrimLeft(tt.name, "/")); string(b) != "new" {
			t.Errorf("%s holds %q, %v", tt.name, b, err)
		}
	}
	sink, err := SaveAs(root, "aborted")
	if err != nil {
		t.Fatal(err)
	}
	sink.Write([]byte("half"))
	sink.Abort(errBroken)
	left, _ := os.ReadDir(dir + "/in")
	if len(left) != 3 {
		t.Errorf("left behind: %v", left)
	}
}

var errAny = errors.New("any error")

// TestNoPartialFile: of a write that fails nothing is left, whoever is to blame; one
// that succeeds is there when the client knows.
func TestNoPartialFile(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	left := func() (names []string) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	synctest.Test(t, func(t *testing.T) {
		p := newStage(t, lossy.Delay(ms))
		p.server.Handler = Directory{Root: root, Write: true}
		p.start()
		conn := p.client()
		var c Client
		src := Source{R: &failingReader{100_000, errBroken}}
		if _, err := c.Put(t.Context(), conn, p.addr, "source fails", src); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		c.Trace = &Trace{Acked: func(_ netip.AddrPort, block, _ int64, _ time.Duration) { cancel() }}
		src = Source{R: bytes.NewReader(noise(1, 100_000))}
		if _, err := c.Put(ctx, conn, p.addr, "cancelled", src); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		conn.Close()
		u := p.puppet()
		u.packet(p.addr, Packet{Op: WRQ, Name: "silent", Mode: "octet"})
		u.expect(ms*5, false, "ACK 0")
		if names := left(); len(names) != 1 || names[0] == "silent" {
			t.Errorf("while it is written: %q", names)
		}
		u.conn.Close()
		time.Sleep(DefaultServerGiveUp)
		if names := left(); len(names) != 0 {
			t.Errorf("left behind: %q", names)
		}
		if _, err := p.put(Client{}, "whole", noise(1, 100_000)); err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(dir + "/whole"); !bytes.Equal(got, noise(1, 100_000)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		p.end()
	})
	if names := left(); len(names) != 1 {
		t.Errorf("left behind: %q", names)
	}
}

// TestOnlyFilesAreReplaced: a device, above all, stays what it is.
func TestOnlyFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := errors.Join(root.Mkdir("dir", 0o755), root.Symlink("dir", "link"), root.WriteFile("file", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dir", "link"} {
		for what, create := range map[string]func() (Sink, error){
			"SaveAs": func() (Sink, error) { return SaveAs(root, name) },
			"Directory": func() (Sink, error) {
				return Directory{Root: root, Write: true, Overwrite: true}.Create(t.Context(), &Request{Name: name})
			},
		} {
			if _, err := create(); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
	sink, err := SaveAs(root, "file")
	if err != nil {
		t.Fatal(err)
	}
	sink.Abort(nil)
}
