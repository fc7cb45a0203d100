// Ferry-key prints a new key for the flag -key of the other programs, or with -sign a pair
// of keys for signatures. The output is a key file:
//
//	(umask 077 && ferry-key > group.key)
package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/ferrygo/ferry/examples/internal/cli"
	"github.com/ferrygo/ferry/sealed"
)

var sign = flag.Bool("sign", false, "print a pair of Ed25519 keys for signatures: a secret one, and a public one in a comment")

func main() { cli.Main("ferry-key [flags] > FILE", run) }

func run(context.Context) error {
	if flag.NArg() > 0 {
		return cli.Usagef("want no arguments: the key goes to standard output")
	}
	text := fmt.Sprintf("# created: %s\n", time.Now().UTC().Format(time.RFC3339))
	if *sign {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		text += fmt.Sprintf("# public key: ferry-verify-1%s\n", base64.StdEncoding.EncodeToString(public))
		text += fmt.Sprintf("ferry-sign-1%s\n", base64.StdEncoding.EncodeToString(private.Seed()))
	} else {
		text += sealed.NewKey().Encode() + "\n"
	}
	// A shell has made the file with the usual mode.
	if info, err := os.Stdout.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		if err := os.Stdout.Chmod(0o600); err != nil {
			return err
		}
	}
	_, err := os.Stdout.WriteString(text)
	return err
}
