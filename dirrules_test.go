package ferry

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keep receives a file.
func keep(h Handler, o Offer, data []byte) error {
	s, err := h.Accept(o)
	if err != nil {
		return err
	}
	if _, err := s.Write(data); err != nil {
		s.Abort(err)
		return err
	}
	return s.Commit()
}

// TestWrittenNames: the rules for names that are written are those of wholefile, whatever
// protocol a name comes by.
func TestWrittenNames(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows refuses what it reserves")
	}
	for _, tt := range []struct {
		name                 string
		plain, dot, portable bool // accepted by Dir{}, with DotFiles, with PortableNames
	}{
		{"log-2026-01-02T17:23:28.txt", true, true, false},
		{"aux", true, true, false},
		{"name.", true, true, false},
		{".bashrc", false, true, false},
		{"-rf", false, true, false},
		{"\u202egpj.exe", false, false, false},
		{"a\x1b[31m", false, false, false},
		{"a\nb", false, false, false},
		{"a/b", false, false, false},
		{"..", false, false, false},
		{".x.part", false, false, false},
		{"r\xe4ksm.txt", false, false, false},
		{"räksm.txt", true, true, true},
	} {
		root, _ := openRoot(t)
		for d, want := range map[*Dir]bool{
			{Root: root}: tt.plain, {Root: root, DotFiles: true}: tt.dot, {Root: root, PortableNames: true}: tt.portable,
		} {
			d.Overwrite = true
			if err := keep(d, Offer{Name: tt.name}, nil); (err == nil) != want || err != nil && !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%q, dot files %v, portable %v: %v", tt.name, d.DotFiles, d.PortableNames, err)
			}
			if err := keep(d, Offer{Name: tt.name}, nil); err != nil && (strings.Contains(err.Error(), "wholefile") || strings.Contains(err.Error(), "\x1b")) {
				t.Errorf("the text %q", err)
			}
		}
		d := &Dir{Root: root, Subdirectories: true}
		if root.Mkdir("sub", 0o700); !strings.Contains(tt.name, "/") && tt.name != ".." {
			if err := keep(d, Offer{Name: "sub/" + tt.name}, nil); (err == nil) != tt.plain {
				t.Errorf("sub/%q: %v", tt.name, err)
			}
		}
	}
}

// TestReadNames: every file in the directory can be read, whatever it is called.
func TestReadNames(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows reserves some of these names")
	}
	root, dir := openRoot(t)
	os.MkdirAll(dir+"/con", 0o700)
	files := []string{
		"52:54:00:12:34:56.ipxe", "boot.ipxe?mac=1", "aux", "con/font.pf2", "name.", "r\xe4ksm.txt", "host|a", "grub.cfg-*",
		"a\tb", `back\slash`, ".hidden", "-rf", "\u202etxt",
	}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := (&Dir{Root: root}).Open(t.Context(), Request{Name: name})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if b, err := io.ReadAll(src.R); string(b) != name || src.Size != int64(len(name)) {
			t.Errorf("%q: %q of %d, %v", name, b, src.Size, err)
		}
		src.R.(io.Closer).Close()
	}
}

// TestReadLinks: Open follows links within the directory, also to absolute targets, and
// refuses links that leave it. The errors have their kind.
func TestReadLinks(t *testing.T) {
	root, dir := openRoot(t)
	if err := os.WriteFile(dir+"/file", []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"inside": dir + "/file", "outside": "/etc/passwd", "up": "../..", "loop": "loop", "dir": dir,
	} {
		if err := os.Symlink(target, dir+"/"+name); err != nil {
			t.Skip(err)
		}
	}
	for name, want := range map[string]error{
		"inside": nil, "dir/file": nil, "dir/inside": nil, "outside": fs.ErrPermission, "up/x": fs.ErrPermission,
		"loop": fs.ErrPermission, "file/x": fs.ErrNotExist, "nonsuch": fs.ErrNotExist, "dir/outside": fs.ErrPermission,
	} {
		src, err := (&Dir{Root: root}).Open(t.Context(), Request{Name: name})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if err == nil {
			src.R.(io.Closer).Close()
		}
	}
}

// TestOpenPipe: Open refuses a named pipe without waiting for its writer.
func TestOpenPipe(t *testing.T) {
	root, dir := openRoot(t)
	mkfifo(t, dir+"/pipe")
	if _, err := (&Dir{Root: root}).Open(t.Context(), Request{Name: "pipe"}); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}

// TestReplaceKeepsMode: a file that is replaced keeps its permissions.
func TestReplaceKeepsMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	for name, handler := range map[string]func(*os.Root) Handler{
		"Dir":    func(r *os.Root) Handler { return &Dir{Root: r, Overwrite: true} },
		"Resume": func(r *os.Root) Handler { return &Dir{Root: r, Overwrite: true, Resume: true} },
		"SaveAs": func(r *os.Root) Handler { return SaveAs(r, "f") },
	} {
		for _, mode := range []fs.FileMode{0o600, 0o664} {
			root, dir := openRoot(t)
			if err := errors.Join(os.WriteFile(dir+"/f", nil, 0o600), os.Chmod(dir+"/f", mode)); err != nil {
				t.Fatal(err)
			}
			if err := keep(handler(root), Offer{Name: "f", Size: 1, Mode: 0o644, SHA256: new([32]byte)}, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(dir + "/f"); err != nil || info.Mode() != mode {
				t.Errorf("%s: %v became %v, %v", name, mode, info.Mode(), err)
			}
		}
	}
}

// TestOwnerCanRead: whatever permissions are offered.
func TestOwnerCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	for _, mode := range []fs.FileMode{0o002, 0o200, 0o004, 0o777 | fs.ModeSetuid} {
		root, dir := openRoot(t)
		if err := keep(&Dir{Root: root}, Offer{Name: "f", Mode: mode}, nil); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir + "/f"); err != nil || info.Mode()&0o600 != 0o600 || info.Mode()&fs.ModeSetuid != 0 {
			t.Errorf("%v became %v, %v", mode, info.Mode(), err)
		}
	}
}

// TestForgedOfferKeepsPart: an offer that may be forged does not damage what was kept: not
// one of another size, not one that brings nothing, and not one that ends with a wrong
// digest before anything was brought.
func TestForgedOfferKeepsPart(t *testing.T) {
	data := noise(1, 10_000)
	digest := sha256.Sum256(data)
	root, _ := openRoot(t)
	d := &Dir{Root: root, Resume: true}
	offer := func(size int64) Resumer {
		s, err := d.Accept(Offer{Name: "f", Size: size, SHA256: &digest})
		if err != nil {
			t.Fatal(err)
		}
		return s.(Resumer)
	}
	held := func(s Resumer) int64 {
		n, err := s.Resume(1000)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	s := offer(10_000)
	held(s)
	if _, err := s.Write(data[:5500]); err != nil {
		t.Fatal(err)
	}
	s.Abort(ErrSilent)
	for size, want := range map[int64]int64{0: 0, 1: 0, 10_000: 5000} {
		for _, cause := range []error{ErrSilent, ErrDigest, errBroken} {
			s := offer(size)
			if got := held(s); got != want {
				t.Errorf("size %d: %d bytes are held", size, got)
			}
			s.Abort(cause)
		}
	}
	s = offer(1)
	held(s)
	s.Write([]byte("x"))
	s.Abort(ErrDigest)

	s = offer(10_000)
	if got := held(s); got != 5000 {
		t.Fatalf("%d bytes are held in the end", got)
	}
	if _, err := s.Write(data[5000:]); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := root.ReadFile("f"); !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestBoundedParts: the number of abandoned parts is bounded, and many short parts do not
// displace a long one. On a full disk no parts are kept.
func TestBoundedParts(t *testing.T) {
	root, dir := openRoot(t)
	d := &Dir{Root: root, Resume: true, MaxParts: 5}
	leave := func(name string, n int, cause error) {
		s, err := d.Accept(Offer{Name: name, Size: 100_000, SHA256: new([32]byte)})
		if err != nil {
			t.Fatal(err)
		}
		s.(Resumer).Resume(10)
		s.Write(make([]byte, n))
		s.Abort(cause)
	}
	leave("long", 50_000, ErrSilent)
	for i := range 20 {
		leave(string(rune('a'+i)), 1000, ErrSilent)
	}
	if got := names(t, dir); len(got) != 5 || !strings.HasPrefix(strings.Join(got, " "), ".") || !strings.Contains(strings.Join(got, " "), ".long.") {
		t.Errorf("left: %q", got)
	}
	for _, cause := range []error{&fs.PathError{Err: syscall.ENOSPC}, ErrDiskFull, ErrTooLarge} {
		leave("full", 60_000, cause)
	}
	if got := strings.Join(names(t, dir), " "); strings.Contains(got, "full") {
		t.Errorf("left: %s", got)
	}
	d.MaxPartAge = time.Nanosecond
	leave("other", 10, ErrSilent)
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

// TestNoRoom: a file larger than MaxSize or than the free disk space is refused at once.
func TestNoRoom(t *testing.T) {
	root, dir := openRoot(t)
	for _, h := range []Handler{&Dir{Root: root}, &Dir{Root: root, Resume: true}, SaveAs(root, "f")} {
		_, err := h.Accept(Offer{Name: "f", Size: 1 << 60, SHA256: new([32]byte)})
		if runtime.GOOS == "linux" && !errors.Is(err, ErrDiskFull) {
			t.Error(err)
		}
	}
	d := &Dir{Root: root, MaxSize: 10}
	for _, h := range []Handler{d, d.SaveAs("f")} {
		if _, err := h.Accept(Offer{Name: "f", Size: 11}); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
		s, err := h.Accept(Offer{Name: "f", Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.(io.WriterAt).WriteAt([]byte("x"), 10); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
		s.Abort(err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

// TestOldTemporariesAreCollected: those that a killed process left, by the first transfer
// of the next one.
func TestOldTemporariesAreCollected(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("locks of one process do not exclude each other")
	}
	for _, name := range []string{"Dir", "SaveAs"} {
		root, dir := openRoot(t)
		h := Handler(&Dir{Root: root})
		if name == "SaveAs" {
			h = SaveAs(root, "f")
		}
		if err := os.WriteFile(dir+"/.f.AAAAAAAAAAAA.part", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		live, err := (&Dir{Root: root}).Accept(Offer{Name: "live"})
		if err != nil {
			t.Fatal(err)
		}
		if err := keep(h, Offer{Name: "f"}, nil); err != nil {
			t.Error(err)
		}
		if err := live.Commit(); err != nil {
			t.Error(err)
		}
		if got := strings.Join(names(t, dir), " "); got != "f live" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestInPlace: where the directory cannot be written a file is replaced only if that is
// allowed.
func TestInPlace(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("this user may write everywhere")
	}
	root, dir := openRoot(t)
	if err := errors.Join(os.WriteFile(dir+"/f", []byte("old"), 0o640), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	d := &Dir{Root: root, Overwrite: true}
	if err := keep(d, Offer{Name: "f"}, []byte("new")); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	d.InPlace = true
	if err := keep(d, Offer{Name: "f"}, []byte("new")); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(dir + "/f"); string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
}
