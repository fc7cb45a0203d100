package sealed

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// A udp conn has an address and nothing else.
type udp struct{ net.PacketConn }

func (udp) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7} }

// TestKeysNotPrinted: only Encode shows a secret.
func TestKeysNotPrinted(t *testing.T) {
	k := NewKey()
	config := Config{Keys: []Key{k}, Purpose: "test"}
	conn, err := config.Wrap(struct{ net.PacketConn }{udp{}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		for _, v := range []any{k, &k, []Key{k}, config, &config, struct{ K Key }{k}, struct{ k Key }{k}, struct{ k []Key }{config.Keys}, conn} {
			fmt.Fprintf(&out, format+"\n", v)
		}
	}
	text, err := json.Marshal(config.Keys)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("keys", "key", k, "keys", config.Keys, "config", config)
	}
	out.WriteString(k.String())
	array := k.secret()
	secret := array[:]
	for _, form := range []string{
		string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		base64.StdEncoding.EncodeToString(secret)[:40], strings.Trim(fmt.Sprint(secret), "[]"), strings.Trim(fmt.Sprintf("%#v", secret)[7:], "{}"),
	} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret is in %q", out.String())
		}
	}
	if !strings.Contains(out.String(), "redacted") {
		t.Errorf("nothing says that a key was there: %q", out.String())
	}
}

// TestKeyFileErrors: errors name the line, and never its text.
func TestKeyFileErrors(t *testing.T) {
	k := NewKey()
	bad := strings.ToUpper(k.Encode())
	for text, want := range map[string]error{
		"": ErrNoKeys, bad: ErrKeyLine, k.Encode() + "\n" + k.Encode(): ErrDuplicateKey,
		strings.Repeat("x", 1<<17): ErrKeyLine,
	} {
		keys, err := ParseKeys(strings.NewReader(text))
		if !errors.Is(err, want) || keys != nil {
			t.Errorf("%d keys, %v; want %v", len(keys), err, want)
		}
		if strings.Contains(err.Error(), bad[20:30]) || strings.Contains(err.Error(), k.Encode()[20:30]) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
	broken := errors.New("broken")
	if _, err := ParseKeys(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	a, b := NewKey(), NewKey()
	if a.Encode() == b.Encode() {
		t.Error("two new keys are equal")
	}
	keys, err := ParseKeys(strings.NewReader("# created: now\n" + a.Encode() + "\r\n" + b.Encode()))
	if err != nil || len(keys) != 2 || keys[0].Encode() != a.Encode() || keys[1].Encode() != b.Encode() {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestConfigMistakes(t *testing.T) {
	ok := []Key{NewKey()}
	for _, c := range []Config{
		{Keys: ok},
		{Purpose: "test"},
		{Keys: []Key{{}}, Purpose: "test"},
		{Keys: ok, Purpose: "Test"},
		{Keys: ok, Purpose: "a b"},
		{Keys: ok, Purpose: "ä"},
		{Keys: ok, Purpose: strings.Repeat("x", 33)},
		{Keys: ok, Purpose: "test", MaxSenders: -1},
	} {
		if _, err := c.Wrap(struct{ net.PacketConn }{}); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := (&Config{Keys: ok, Purpose: "test"}).Wrap(nil); !errors.Is(err, ErrConfig) {
		t.Errorf("a nil conn: %v", err)
	}
}

// FuzzParseKeys: parsed keys can be written and parsed again.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(newKey([keySize]byte{1}).Encode() + "\r\n# x\n " + newKey([keySize]byte{2}).Encode()))
	f.Add([]byte("ferry-key-1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := ParseKeys(bytes.NewReader(text))
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		var again strings.Builder
		for _, k := range keys {
			fmt.Fprintln(&again, k.Encode())
		}
		if err != nil {
			return
		}
		if same, err := ParseKeys(strings.NewReader(again.String())); err != nil || fmt.Sprint(len(same)) != fmt.Sprint(len(keys)) || same[0].Encode() != keys[0].Encode() {
			t.Fatalf("%d keys, %v; want %d", len(same), err, len(keys))
		}
	})
}
