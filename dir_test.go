package ferry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var errBroken = errors.New("broken")

// openRoot makes a directory.
func openRoot(t *testing.T) (*os.Root, string) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// names lists a directory, hidden files included.
func names(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestUnnamed(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 4, 5, 678900, time.UTC)
	for addr, want := range map[string]string{
		"10.0.0.2:50123":      "20260314T150405.000678_10.0.0.2_50123",
		"[2001:db8::1]:7":     "20260314T150405.000678_2001-db8--1_7",
		"[fe80::1%eth0]:7735": "20260314T150405.000678_fe80--1-eth0_7735",
	} {
		if got := unnamed(Offer{Addr: netip.MustParseAddrPort(addr)}, at); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

// A file of unknown size is cut off at MaxSize.
func TestMaxSizeUnknown(t *testing.T) {
	root, dir := openRoot(t)
	d := Dir{Root: root, MaxSize: 10}
	s, err := d.Accept(Offer{Name: "f", Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if _, err := s.Write(make([]byte, 1)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	s.Abort(errBroken)
	if len(names(t, dir)) != 0 {
		t.Error("left")
	}
}

// Two programs that resume in one directory do not write to the same partial file.
func TestResumedElsewhere(t *testing.T) {
	root, _ := openRoot(t)
	o := Offer{Name: "f", Size: 10, SHA256: new([32]byte)}
	first, err := (&Dir{Root: root, Resume: true}).Accept(o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Abort(nil)
	other := &Dir{Root: root, Resume: true}
	if _, err := other.Accept(o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}

// A part without write permission is resumed. After Commit its owner can write the file.
func TestResumeReadOnly(t *testing.T) {
	root, dir := openRoot(t)
	data := noise(1, 10000)
	digest := sha256.Sum256(data)
	o := Offer{Name: "f", Size: 10000, Mode: 0o444, SHA256: &digest}
	h := &Dir{Root: root, Resume: true}
	for i := range 2 {
		sink, err := h.Accept(o)
		if err != nil {
			t.Fatal(err)
		}
		if held, err := sink.(Resumer).Resume(1000); held != int64(i)*5000 || err != nil {
			t.Errorf("%d bytes are held, %v", held, err)
		}
		if _, err := sink.Write(data[i*5000 : (i+1)*5000]); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			sink.Abort(ErrSilent)
			info, err := os.Stat(filepath.Join(dir, names(t, dir)[0]))
			if err != nil || info.Mode()&0o600 != 0o600 {
				t.Errorf("the partial file: %v, %v", info.Mode(), err)
			}
		} else if err := sink.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "f"))
	if err != nil || info.Mode() != 0o644 || len(names(t, dir)) != 1 {
		t.Errorf("%v, %v, files %q", info.Mode(), err, names(t, dir))
	}
}

// Resume returns a multiple of the chunk size, except at the end of the file.
func TestResumeHolds(t *testing.T) {
	root, _ := openRoot(t)
	for _, tt := range []struct{ kept, chunk, held int }{
		{0, 100, 0},
		{99, 100, 0},
		{4999, 1500, 4500},
		{9999, 3000, 9000},
		{10000, 3000, 10000},
		{10001, 3000, 10000}, // by another program, perhaps
	} {
		o := Offer{Name: fmt.Sprint("f", tt.kept), Size: 10000, SHA256: new([32]byte)}
		if err := root.WriteFile("."+o.Name+".0000000000000000.10000.part", make([]byte, tt.kept), 0o600); err != nil {
			t.Fatal(err)
		}
		sink, err := (&Dir{Root: root, Resume: true}).Accept(o)
		if err != nil {
			t.Fatal(err)
		}
		if held, err := sink.(Resumer).Resume(tt.chunk); held != int64(tt.held) || err != nil {
			t.Errorf("%d bytes were kept, chunks of %d: %d are held, %v; want %d", tt.kept, tt.chunk, held, err, tt.held)
		}
		sink.Abort(nil)
	}
}

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
	for _, h := range []Opener{&Dir{Root: root}, FS(root.FS())} {
		for name, want := range map[string]error{
			"a": nil, "/a": nil, "//sub/b": nil, "sub": fs.ErrPermission, "": fs.ErrInvalid, "/": fs.ErrInvalid,
			"../outside": fs.ErrInvalid, "sub/../a": fs.ErrInvalid, "link": errAny, "nonsuch": fs.ErrNotExist,
			"a\xff": errAny, "NUL": fs.ErrNotExist, "sub\\b": nil, "\\sub\\b": nil, ".\\sub//./b": nil,
			"sub\\..\\a": fs.ErrInvalid, "..\\outside": fs.ErrInvalid, "./": fs.ErrInvalid, "C:/a": fs.ErrNotExist,
			"a\n": fs.ErrNotExist, "a\x00": fs.ErrInvalid, strings.Repeat("x", 10_000): errAny,
		} {
			src, err := h.Open(ctx, Request{Name: name})
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
	}
	for _, tt := range []struct {
		d    *Dir
		name string
		want error
	}{
		{&Dir{Root: root, Subdirectories: true}, "/sub/new", nil},
		{&Dir{Root: root, Subdirectories: true}, "a", fs.ErrExist},
		{&Dir{Root: root, Subdirectories: true, Overwrite: true}, "a", nil},
		{&Dir{Root: root, Subdirectories: true, Overwrite: true}, "sub", fs.ErrExist},
		{&Dir{Root: root, Subdirectories: true}, "../x", fs.ErrInvalid},
		{&Dir{Root: root, Subdirectories: true}, "no/x", fs.ErrNotExist},
		{&Dir{Root: root}, "/sub/new2", fs.ErrInvalid},
		{&Dir{Root: root, ReadOnly: true}, "new2", fs.ErrPermission},
	} {
		sink, err := tt.d.Accept(Offer{Name: tt.name})
		if !errors.Is(err, tt.want) {
			t.Errorf("Accept(%q): %v, want %v", tt.name, err, tt.want)
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
	sink, err := SaveAs(root, "aborted").Accept(Offer{})
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
			"SaveAs": func() (Sink, error) { return SaveAs(root, name).Accept(Offer{}) },
			"Dir": func() (Sink, error) {
				return (&Dir{Root: root, Overwrite: true}).Accept(Offer{Name: name})
			},
		} {
			if _, err := create(); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
	sink, err := SaveAs(root, "file").Accept(Offer{})
	if err != nil {
		t.Fatal(err)
	}
	sink.Abort(nil)
}

var errAny = errors.New("any error")
