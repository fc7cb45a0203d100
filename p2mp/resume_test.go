package p2mp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
	"github.com/ferrygo/ferry/lossy"
)

type lyingResumer struct {
	*item
	held int64
}

func (r lyingResumer) Resume(int) (int64, error) { return r.held, nil }

func (r lyingResumer) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func TestLyingResumer(t *testing.T) {
	for _, held := range []int64{-1, 50, 101, 251} {
		s := &shelf{t: t}
		_, in := served(t, Receiver{}, ferry.HandlerFunc(func(o ferry.Offer) (ferry.Sink, error) {
			i, err := s.Accept(o)
			return lyingResumer{i.(*item), held}, err
		}))
		h := offerOf("f", 250)
		h.digest = new([32]byte)
		if got := fmt.Sprint(in(CategoryHello, &h)); got != "[ABORT]" || s.items[0].ended != "aborted" {
			t.Errorf("holds %d: %s, %q", held, got, s.items[0].ended)
		}
	}
}

// TestResumedFileIsVerified: the kept beginning of a file is verified. If the whole file has
// a wrong digest after a resume, it is sent again from the start.
func TestResumedFileIsVerified(t *testing.T) {
	root, dir := openRoot(t)
	data := noise(1, 10000)
	digest := sha256.Sum256(data)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, &ferry.Dir{Root: root, Resume: true})
		ctx, cancel := context.WithCancel(t.Context())
		s := Sender{MSS: 100, Window: 20, Trace: &Trace{Acked: func(e PacketEvent) {
			if e.Seq >= 40 {
				cancel()
			}
		}}}
		src := ferry.Source{R: bytes.NewReader(data), Size: int64(len(data)), Name: "f", SHA256: &digest}
		if _, err := s.Send(ctx, p.sender, p.to, src); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		kept := names(t, dir)
		if len(kept) != 1 {
			t.Fatalf("files %q, want a partial one", kept)
		}
		name := filepath.Join(dir, kept[0])
		b, err := os.ReadFile(name)
		if err != nil || len(b) < 4000 {
			t.Fatalf("%d bytes are kept, %v", len(b), err)
		}
		b[1234] ^= 1
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, src)
		if err != nil {
			t.Errorf("a damaged beginning: %v", err)
		}
		if r := report.Peers[0]; r.State != Complete || r.Bytes != int64(len(data)) {
			t.Errorf("report %+v", r)
		}
		if b, _ := os.ReadFile(filepath.Join(dir, "f")); !bytes.Equal(b, data) || len(names(t, dir)) != 1 {
			t.Errorf("%d bytes, files %q", len(b), names(t, dir))
		}
		p.stop()
	})
}

// A source that is read once is sent from its beginning to a receiver that could resume.
func TestResumeFromOnceRead(t *testing.T) {
	root, _ := openRoot(t)
	data := noise(1, 10000)
	digest := sha256.Sum256(data)
	os.WriteFile(root.Name()+"/.f."+fmt.Sprintf("%x.%d", digest[:8], len(data))+".part", data[:5000], 0o600)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 1, lossy.Delay(time.Millisecond))
		p.serve(Receiver{}, &ferry.Dir{Root: root, Resume: true})
		_, err := (&Sender{MSS: 100}).Send(t.Context(), p.sender, p.to, ferry.Source{R: bytes.NewBuffer(bytes.Clone(data)), Size: int64(len(data)), Name: "f", SHA256: &digest})
		if err != nil {
			t.Error(err)
		}
		p.stop()
	})
}
