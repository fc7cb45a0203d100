package directory

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// AppendField appends one field of a datagram to b. A space, a
// percent sign and control characters are written as a percent sign and two hexadecimal
// digits (RFC 3986, section 2.1).
func AppendField(b []byte, field string) []byte {
	for i := range len(field) {
		if c := field[i]; mustEscape(c) {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

func mustEscape(c byte) bool { return c <= ' ' || c == '%' || c == 0x7f }

// ParseField decodes a field. It fails with [ErrMalformed] if the field is empty, holds
// a space, a control character, or a percent sign without two hexadecimal digits, or is
// not UTF-8. Any byte may be written with a percent sign.
func ParseField(field string) (string, error) {
	return parseField([]byte(field))
}

func parseField(word []byte) (string, error) {
	if len(word) == 0 {
		return "", fmt.Errorf("%w: an empty field", ErrMalformed)
	}
	plain := true
	for _, c := range word {
		plain = plain && !mustEscape(c)
	}
	if !plain {
		var err error
		if word, err = unescape(word); err != nil {
			return "", err
		}
	}
	if !utf8.Valid(word) {
		return "", fmt.Errorf("%w: a field that is not UTF-8", ErrMalformed)
	}
	return string(word), nil
}

// unescape returns a copy of a word with its escapes decoded.
func unescape(word []byte) ([]byte, error) {
	out := make([]byte, 0, len(word))
	for i := 0; i < len(word); i++ {
		c := word[i]
		if c != '%' {
			if mustEscape(c) {
				return nil, fmt.Errorf("%w: byte %#02x in a field", ErrMalformed, c)
			}
			out = append(out, c)
			continue
		}
		if i+2 >= len(word) {
			return nil, fmt.Errorf("%w: half an escape", ErrMalformed)
		}
		hi, ok1 := unhex(word[i+1])
		lo, ok2 := unhex(word[i+2])
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%w: no hexadecimal digits after %%", ErrMalformed)
		}
		out = append(out, hi<<4|lo)
		i += 2
	}
	return out, nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// checkBody reports whether a body is fields with one space after each. A body that
// parsePacket returned is empty or ends with a space.
func checkBody(body []byte) error {
	for len(body) > 0 {
		var word []byte
		word, body = nextWord(body)
		if _, err := parseField(word); err != nil {
			return err
		}
	}
	return nil
}

// nextWord splits a body after its first field.
func nextWord(body []byte) (word, rest []byte) {
	word, rest, _ = bytes.Cut(body, []byte{' '})
	return word, rest
}
