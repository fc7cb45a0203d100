package octoput

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

// wrappedEOF does not mean the end of a source: only io.EOF itself does (io.Reader).
var wrappedEOF = errors.Join(errBroken, io.EOF)

func TestSendBadSources(t *testing.T) {
	for _, tt := range []struct {
		name string
		src  ferry.Source
		want error
	}{
		{"too short", ferry.Source{R: bytes.NewReader(make([]byte, 3*BlockSize-1)), Size: 3 * BlockSize}, ferry.ErrSize},
		{"empty", ferry.Source{R: bytes.NewReader(nil), Size: 1}, ferry.ErrSize},
		{"too long", ferry.Source{R: bytes.NewReader(make([]byte, 3*BlockSize+1)), Size: 3 * BlockSize}, ferry.ErrSize},
		{"too long for nothing", ferry.Source{R: bytes.NewReader(make([]byte, 1)), Size: 0}, ferry.ErrSize},
		{"broken", ferry.Source{R: io.MultiReader(bytes.NewReader(make([]byte, BlockSize)), iotest.ErrReader(errBroken)), Size: 3 * BlockSize}, errBroken},
		{"broken within an octoblock", ferry.Source{R: iotest.ErrReader(io.ErrUnexpectedEOF), Size: BlockSize}, io.ErrUnexpectedEOF},
		{"broken like an end", ferry.Source{R: io.MultiReader(bytes.NewReader(make([]byte, BlockSize)), iotest.ErrReader(wrappedEOF)), Size: BlockSize}, errBroken},
		{"broken at the end", ferry.Source{R: io.MultiReader(bytes.NewReader(make([]byte, BlockSize)), iotest.ErrReader(errBroken)), Size: BlockSize}, errBroken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, lossy.Delay(time.Millisecond))
				p.receive(Receiver{})
				_, err := (&Sender{}).Send(context.Background(), p.sender, p.to, tt.src)
				p.wait()
				var said *RemoteError
				if !errors.Is(err, tt.want) || !errors.As(p.err, &said) || said.Code != CodeFailed {
					t.Errorf("Send: %v; Receive: %v", err, p.err)
				}
			})
		})
	}
	good := netip.MustParseAddrPort("10.0.0.2:1")
	for _, tt := range []struct {
		to   string
		src  ferry.Source
		want string
	}{
		{"0.0.0.0:1", source(nil), "no address to send to"},
		{"10.0.0.1:0", source(nil), "no address to send to"},
		{good.String(), ferry.Source{}, "no source"},
		{good.String(), ferry.Source{R: strings.NewReader(""), Size: -1}, "wrong size"},
		{good.String(), ferry.Source{R: strings.NewReader(""), Name: strings.Repeat("x", 256)}, "a name of 256 bytes"},
	} {
		_, err := (&Sender{}).Send(context.Background(), nil, netip.MustParseAddrPort(tt.to), tt.src)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("to %s: %v, want %s", tt.to, err, tt.want)
		}
	}
}

// A source may return a few bytes per Read.
func TestSendTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.receive(Receiver{})
		data := noise(1, BlockSize+100)
		src := ferry.Source{R: iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(data))), Size: int64(len(data))}
		if _, err := (&Sender{}).Send(context.Background(), p.sender, p.to, src); err != nil {
			t.Error(err)
		}
		p.wait()
		p.check(data)
	})
}

func TestFileSource(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a file")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	src, err := ferry.FileSource(f)
	if err != nil || src.Size != 7 || src.Name != "a file" {
		t.Errorf("FileSource = %+v, %v", src, err)
	}
	if _, err := f.Seek(30, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if src, err := ferry.FileSource(f); err != nil || src.Size != 0 {
		t.Errorf("behind the end: %+v, %v", src, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := ferry.FileSource(d); err == nil {
		t.Error("a directory is a source")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	src, err = ferry.FileSource(r)
	if err == nil {
		err = checkSource(&src)
	}
	if !errors.Is(err, ErrSize) {
		t.Errorf("a pipe is a source: %v", err)
	}
}
