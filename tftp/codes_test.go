package tftp

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ferrygo/ferry"
)

// TestCodesOfTheFileSystem: what the file system says becomes a code of RFC 1350.
func TestCodesOfTheFileSystem(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"loop": "loop", "up": "../outside", "out": "/etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]Code{
		"nonsuch": CodeNotFound, "file/x": CodeNotFound, "loop": CodeAccess, "up": CodeAccess, "out": CodeAccess, "../file": CodeAccess,
	} {
		_, err := (&ferry.Dir{Root: root}).Open(context.Background(), ferry.Request{Name: name})
		if err == nil || errorPacket(err).Code != want {
			t.Errorf("%s: told as %+v, want code %d: %v", name, errorPacket(err), want, err)
		}
	}
	for errno, want := range map[syscall.Errno]Code{syscall.ENOSPC: CodeDiskFull, syscall.EDQUOT: CodeDiskFull, syscall.EACCES: CodeAccess, syscall.EIO: CodeUndefined} {
		if p := errorPacket(&os.PathError{Op: "write", Path: "x", Err: errno}); p.Code != want {
			t.Errorf("%v: told as %+v, want code %d", errno, p, want)
		}
	}
}
