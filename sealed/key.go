package sealed

import (
	"bufio"
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// keySize is the length of a secret in bytes.
const keySize = 32

// A Key is the secret of a group, with which a host can read and send. NewKey and
// [ParseKeys] make Keys; the zero Key is invalid. It prints as "ferry-key-1 (redacted)",
// whatever the format.
type Key struct {
	// A function, because fmt prints the unexported fields of a struct around a Key without
	// calling the methods of Key, and of a function it knows only the address.
	secret func() [keySize]byte
}

func newKey(secret [keySize]byte) Key { return Key{func() [keySize]byte { return secret }} }

// NewKey returns a new random Key.
func NewKey() Key {
	var secret [keySize]byte
	rand.Read(secret[:]) // it never fails
	return newKey(secret)
}

// keyPrefix begins a line of a key file.
const keyPrefix = "ferry-key-1"

// Encode returns the line of a key file that holds k, without a newline. It contains the
// secret.
func (k Key) Encode() string {
	secret := k.secret()
	return keyPrefix + base64.StdEncoding.EncodeToString(secret[:])
}

const redacted = keyPrefix + " (redacted)"

// String returns a text without the secret.
func (Key) String() string { return redacted }

// Format prints a text without the secret for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText returns a text without the secret, for encoders such as encoding/json and
// log/slog. It cannot be parsed again; see [Key.Encode].
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A KeyFileError is a fault in a key file. It never contains text of the file.
type KeyFileError struct {
	Line int   // from 1; 0 if the fault is not in one line
	Err  error // one of ErrKeyLine, ErrDuplicateKey, ErrNoKeys, or an error of reading
}

func (e *KeyFileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("sealed: key file: %v", e.Err)
	}
	return fmt.Sprintf("sealed: key file, line %d: %v", e.Line, e.Err)
}

func (e *KeyFileError) Unwrap() error { return e.Err }

// The faults of a key file.
var (
	ErrKeyLine      = errors.New("want a comment or " + keyPrefix + " and 44 characters of base64")
	ErrDuplicateKey = errors.New("the key is there twice")
	ErrNoKeys       = errors.New("there is no key")
)

// maxKeyFile bounds the size of a key file in bytes.
const maxKeyFile = 1 << 20

// ParseKeys reads a key file; see "Key file" in the package comment. The error is a
// [*KeyFileError].
func ParseKeys(r io.Reader) ([]Key, error) {
	var keys []Key
	seen := make(map[[keySize]byte]bool)
	lines := bufio.NewScanner(io.LimitReader(r, maxKeyFile))
	number := 0
	for lines.Scan() {
		number++
		k, ok, err := parseLine(lines.Bytes())
		if err == nil && ok && seen[k.secret()] {
			err = ErrDuplicateKey
		}
		if err != nil {
			return nil, &KeyFileError{Line: number, Err: err}
		}
		if ok {
			seen[k.secret()] = true
			keys = append(keys, k)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, &KeyFileError{Line: number + 1, Err: ErrKeyLine}
	} else if err != nil {
		return nil, &KeyFileError{Err: err}
	}
	if len(keys) == 0 {
		return nil, &KeyFileError{Err: ErrNoKeys}
	}
	return keys, nil
}

// parseLine reads a line of a key file. ok is false for an empty line or a comment.
func parseLine(line []byte) (k Key, ok bool, err error) {
	if !utf8.Valid(line) {
		return k, false, ErrKeyLine
	}
	text := strings.Trim(string(bytes.TrimSuffix(line, []byte("\r"))), " \t")
	if text == "" || text[0] == '#' {
		return k, false, nil
	}
	encoded, found := strings.CutPrefix(text, keyPrefix)
	if !found || len(encoded) != base64.StdEncoding.EncodedLen(keySize) || strings.ContainsAny(encoded, "\r\n") {
		return k, false, ErrKeyLine
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(secret) != keySize {
		return k, false, ErrKeyLine
	}
	return newKey([keySize]byte(secret)), true, nil
}

// A keyID is the part of the header that names a key.
type keyID [2]byte

// A derivation derives packet keys from a group's secret.
type derivation struct {
	id      keyID
	prk     []byte
	purpose string
}

func (k Key) derivation(purpose string) (derivation, error) {
	secret := k.secret()
	prk, err := hkdf.Extract(sha256.New, secret[:], []byte("ferry sealed 1"))
	if err != nil {
		return derivation{}, err
	}
	id, err := hkdf.Expand(sha256.New, prk, "id", 32)
	if err != nil {
		return derivation{}, err
	}
	return derivation{id: keyID(id[:2]), prk: prk, purpose: purpose}, nil
}

// packetKey returns the key of the packets of one sender id.
func (d *derivation) packetKey(id senderID) ([]byte, error) {
	return hkdf.Expand(sha256.New, d.prk, "key\x00"+d.purpose+"\x00"+string(id[:]), 32)
}
