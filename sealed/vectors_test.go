package sealed

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// hexBytes are bytes that JSON has as a string of hexadecimal digits.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func secretOf(k Key) hexBytes {
	secret := k.secret()
	return secret[:]
}

type vectors struct {
	Sealed []struct {
		Name, Purpose                                     string
		Secret, Sender, Salt, Payload, PRK, Nonce, Packet hexBytes
		KeyID                                             hexBytes `json:"key_id"`
		PacketKey                                         hexBytes `json:"packet_key"`
		Counter                                           uint32
	}
	Refused []struct {
		Name, Purpose  string
		Secret, Packet hexBytes
	}
	KeyFiles []struct {
		Name    string
		File    []byte // JSON has it in base64
		Keys    []hexBytes
		BadLine *int `json:"bad_line"`
	} `json:"key_files"`
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// testSealer returns a sealer that seals the next packet with a counter.
func testSealer(t *testing.T, k Key, purpose string, sender senderID, counter uint32, salt [saltSize]byte) *sealer {
	t.Helper()
	d, err := k.derivation(purpose)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := d.newAEAD(sender)
	if err != nil {
		t.Fatal(err)
	}
	return &sealer{key: d, aead: aead, header: header{Key: d.id, Sender: sender, Counter: counter - 1, Salt: salt}}
}

// testOpener returns an opener of keys, without a check of times.
func testOpener(t testing.TB, purpose string, keys ...Key) *opener {
	t.Helper()
	byID, _, err := (&Config{Keys: keys, Purpose: purpose}).derivations()
	if err != nil {
		t.Fatal(err)
	}
	return &opener{keys: byID, senders: newSenders(defaultMaxSenders, -1)}
}

// TestVectors seals and opens the packets that the Python implementation made.
func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, e := range v.Sealed {
		k := newKey([keySize]byte(e.Secret))
		d, err := k.derivation(e.Purpose)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := d.packetKey(senderID(e.Sender))
		if !bytes.Equal(d.prk, e.PRK) || !bytes.Equal(d.id[:], e.KeyID) || !bytes.Equal(key, e.PacketKey) {
			t.Errorf("%s: prk %x, key id %x, packet key %x", e.Name, d.prk, d.id, key)
		}
		s := testSealer(t, k, e.Purpose, senderID(e.Sender), e.Counter, [saltSize]byte(e.Salt))
		if got := s.seal(nil, e.Payload); !bytes.Equal(got, e.Packet) {
			t.Errorf("%s: sealed is\n%x, want\n%x", e.Name, got, e.Packet)
		}
		if !bytes.Equal(s.nonce[:], e.Nonce) {
			t.Errorf("%s: nonce %x, want %x", e.Name, s.nonce, e.Nonce)
		}
		payload, reason, _ := testOpener(t, e.Purpose, k).open(nil, e.Packet, time.Now())
		if reason != 0 || !bytes.Equal(payload, e.Payload) {
			t.Errorf("%s: opened is %x, %v", e.Name, payload, reason)
		}
	}
	for _, e := range v.Refused {
		if _, reason, _ := testOpener(t, e.Purpose, newKey([keySize]byte(e.Secret))).open(nil, e.Packet, time.Now()); reason == 0 {
			t.Errorf("%s opens", e.Name)
		}
	}
	for _, e := range v.KeyFiles {
		keys, err := ParseKeys(bytes.NewReader(e.File))
		var fault *KeyFileError
		switch {
		case e.BadLine != nil:
			if !errors.As(err, &fault) || fault.Line != *e.BadLine {
				t.Errorf("key file %q: %v, want an error in line %d", e.Name, err, *e.BadLine)
			}
		case err != nil || len(keys) != len(e.Keys):
			t.Errorf("key file %q: %d keys, %v; want %d", e.Name, len(keys), err, len(e.Keys))
		default:
			for i, k := range keys {
				if k.secret() != [keySize]byte(e.Keys[i]) {
					t.Errorf("key file %q: key %d differs", e.Name, i+1)
				}
			}
		}
	}
	if len(v.Sealed) < 8 || len(v.Refused) < 15 || len(v.KeyFiles) < 20 {
		t.Errorf("only %d, %d and %d vectors", len(v.Sealed), len(v.Refused), len(v.KeyFiles))
	}
}

// TestPythonTwin has the Python implementation check the vectors, and open what is sealed
// here.
func TestPythonTwin(t *testing.T) {
	out, err := exec.Command("python3", "-B", "testdata/twin.py", "check", "testdata/vectors.json").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) || strings.Contains(string(out), "No module named 'cryptography'") {
		t.Skip("python3 with the package cryptography is not installed (Debian package python3-cryptography)")
	}
	if err != nil {
		t.Errorf("the vectors: %v\n%s", err, out)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var in bytes.Buffer
	var want []string
	lines := json.NewEncoder(&in)
	for i := range 50 {
		k, payload := NewKey(), make([]byte, rng.IntN(2000))
		for j := range payload {
			payload[j] = byte(rng.Uint32())
		}
		s := testSealer(t, k, fmt.Sprint("p-", i), newSenderID(time.Now(), [8]byte{byte(i)}), rng.Uint32N(maxPackets)+1, [saltSize]byte{byte(i)})
		packet := s.seal(nil, payload)
		want = append(want, hex.EncodeToString(payload))
		if i%10 == 9 {
			packet[rng.IntN(len(packet))] ^= 1 << rng.IntN(8)
			want[i] = "refused"
		}
		lines.Encode(map[string]any{"secret": secretOf(k), "purpose": fmt.Sprint("p-", i), "packet": hexBytes(packet)})
	}
	c := exec.Command("python3", "-B", "testdata/twin.py", "open")
	c.Stdin = &in
	out, err = c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSuffix(string(out), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("Python opens\n%.500s, want\n%.500s", got, strings.Join(want, "\n"))
	}
}
