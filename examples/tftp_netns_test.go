package examples

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestTFTPAtEveryAddress: a server on a wildcard address is reached at every address of its
// host, in both modes; and the block size that it grants fits the path to the client.
func TestTFTPAtEveryAddress(t *testing.T) {
	a, b := namespaces(t)
	for _, ns := range []namespace{a, b} {
		ns.must("ip", "link", "set", "lo", "up") // without ::1, Go does not use IPv6
		ns.must("ip", "link", "set", "veth0", "mtu", "1400")
	}
	for _, cmd := range []string{
		"ip addr add 10.88.0.3/24 dev veth0",
		"ip addr add 192.0.2.7/32 dev veth0",
		"ip -6 addr add fd88::2/64 dev veth0 nodad",
		"ip -6 addr add fd88::3/64 dev veth0 nodad",
	} {
		b.must(strings.Fields(cmd)...)
	}
	a.must("ip", "-6", "addr", "add", "fd88::1/64", "dev", "veth0", "nodad")
	a.must("ip", "route", "add", "192.0.2.7/32", "via", b.addr)
	name, data := writeNoise(t, 100_003)
	for port, mode := range map[string]string{"6900": "-single-port=false", "6901": "-single-port"} {
		serving(t, b.command("tftpd", "-v", mode, "-listen", ":"+port, filepath.Dir(name)))
		for host, blocks := range map[string]string{
			"10.88.0.2": "1368", "10.88.0.3": "1368", "192.0.2.7": "1368", "[fd88::2]": "1348", "[fd88::3]": "1348",
		} {
			cmd := a.command("tftp", "-v", "-blksize", "1468", "get", host+":"+port, filepath.Base(name), "-")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err != nil || !bytes.Equal(stdout.Bytes(), data) {
				t.Errorf("%s %s: %d bytes, %v\n%s", mode, host, stdout.Len(), err, last(stderr.String(), 300))
			}
			if !strings.Contains(stderr.String(), "blksize="+blocks) {
				t.Errorf("%s %s: want blocks of %s bytes\n%s", mode, host, blocks, last(stderr.String(), 300))
			}
		}
	}
}

// last returns the last n bytes of a text.
func last(s string, n int) string { return s[max(0, len(s)-n):] }
