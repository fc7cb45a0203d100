// Package fetch gets a file from all peers that have it, over HTTP, and verifies it.
//
//	var f fetch.Fetcher
//	report, err := f.Fetch(ctx, root, "new.txt", "", fetch.Sources{{Addr: a}, {Addr: b}})
//	fmt.Println(report.Size, report.Verified, err)
//
// A [Locator] finds the sources: the client of a central directory, for example, or a list
// ([Sources]). A source is any HTTP server that has the file as /NAME.
//
// # Protocol
//
//	GET /pieces/NAME             which pieces does the file have? (see Pieces)
//	HEAD /NAME, or GET           without a list: is the file there?
//	GET /NAME, Range, If-Range   a run of pieces, or the rest of the file
//
// Sources that have the same piece list are used in parallel. Each gets a run of pieces,
// and what a slow or failing source does not deliver comes from the others. The first piece
// of each request is verified when it arrives, and the whole at the end. If the whole is
// wrong, every piece is verified, and the wrong ones are fetched again from other sources.
// A source that sends the whole file instead of a range is used when no other is left.
//
// Sources without a list are used one after the other. A download continues where it broke
// off if the source has a strong entity tag or a date (RFC 9110, sections 8.8.2.2 and
// 13.1.5), or if a digest will detect bytes of another version.
//
// The sources are believed about what the name stands for: the file that most hosts
// announce is fetched, and each host has one vote. [Fetcher.SHA256] overrules them.
//
// # Limits
//
// A source that delivers fewer than [Fetcher.MinRate] bytes per second for [Fetcher.Stall]
// is tried again and then dropped. Another source takes its place. A source that answers 503
// with Retry-After is preparing the file and is waited for: 30 s, and a second for each
// 10 MB.
//
// One address has at most a quarter of the places of [Fetcher.MaxSources] while sources at
// other addresses may still be found. Of one call, 1000 sources are remembered.
//
// # Choices
//
//   - Sources that have different files with one name: the first that was found wins a tie.
//   - Any failure of HEAD except 404 and 410 leads to GET, which is all that is needed.
//   - A part of another version is replaced only when more of the new version has arrived.
//   - If the disk is full, what this call stored is removed. What an earlier call stored
//     stays.
//   - A body without a length ends at 1 GiB, unless MaxSize says otherwise.
//
// # Where the code does what
//
//   - A source is asked: asking.go; the file is chosen: choose.go.
//   - Pieces are divided among sources: plan.go; fetched and verified: swarm.go.
//   - A source without a piece list is used: plain.go.
//   - A request is made: request.go; a slow body is given up: body.go.
//   - What is stored, resumed and replaced: part.go.
//   - The loop that owns all state: call.go.
package fetch
