// Package fetch gets a file from all peers that have it, over HTTP.
package fetch
