package main

import (
	"os/exec"
	"strings"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/livetest"
	"sluice/internal/netlab"
)

// debianPython is where packages of Debian are found, whichever python3 comes first.
const debianPython = "/usr/bin/python3"

// chatServer says back what it is told, and logs every frame as it comes, whole up to
// seventy characters.
const chatServer = `
import asyncio, logging, sys, websockets

logging.basicConfig(format="%(message)s", level=logging.DEBUG)

async def chat(ws, *_):
    async for text in ws:
        await ws.send("heard: " + text)

async def main():
    async with websockets.serve(chat, sys.argv[1], int(sys.argv[2]), compression="deflate"):
        await asyncio.Future()

asyncio.run(main())
`

// chatClient sends the messages of its files, the last one in pieces, and says how the
// connection was closed.
const chatClient = `
import asyncio, sys, websockets

async def main():
    async with websockets.connect(sys.argv[1], compression="deflate", open_timeout=20, close_timeout=1) as ws:
        print("extensions", [e.name for e in ws.extensions])
        try:
            for name in sys.argv[2:-1]:
                await ws.send(open(name).read())
                print(await asyncio.wait_for(ws.recv(), 20))
            text = open(sys.argv[-1]).read()
            await ws.send([text[i:i + 60] for i in range(0, len(text), 60)])
            print(await asyncio.wait_for(ws.recv(), 20))
        except websockets.ConnectionClosed as e:
            print("closed", e.rcvd.code if e.rcvd else "without a word")

asyncio.run(main())
`

// liveChat talks by WebSocket, compressed as browsers do: a chat goes on, cards in a
// message of several fragments are not heard, and the client is told why.
func liveChat(r *rig) {
	if out, err := exec.Command(debianPython, "-c", "import websockets").CombinedOutput(); err != nil {
		livetest.Lacks(r, "Python's websockets are not installed (apt-get install python3-websockets): %s", out)
	}
	const port = "8765"
	said := r.serve(r.lab.Server, debianPython, r.write("server.py", chatServer), netlab.Server4, port)
	r.until("the server of the chat", func() (string, bool) {
		c, err := r.lab.Server.DialContext(r.ctx, "", "tcp", netlab.Server4+":"+port)
		if err == nil {
			c.Close()
		}
		return said(), err == nil
	})
	r.startTold()
	client := r.write("client.py", chatClient)
	chat := func(files ...string) string {
		r.Helper()
		out, err := r.lab.Client.Run(r.ctx, debianPython, append([]string{client, "ws://" + netlab.Server4 + ":" + port + "/room/7"}, files...)...)
		if err != nil {
			r.Errorf("the client: %v\n%s", err, out)
		}
		if !strings.Contains(out, "extensions ['permessage-deflate']") {
			r.Errorf("the messages are not compressed:\n%s", out)
		}
		return out
	}
	cards := stage.Cards(30, 10)
	hello := r.write("hello", "Shall we meet at noon?")
	again := r.write("again", strings.Repeat("Where it was last time, by the old bridge. ", 40))
	list := r.write("list", stage.CardList(cards))
	mark := r.soc.Mark()
	if out := chat(hello, again); !strings.Contains(out, "heard: Shall we meet") || !strings.Contains(out, "heard: Where it was") {
		r.Errorf("a harmless chat:\n%s", out)
	}
	type record struct {
		Fin    bool
		Opcode string
	}
	awaitPart(r, mark, "websocket", "a message", func(w *record) bool { return w.Fin && w.Opcode == "text" })
	awaitPart(r, mark, "websocket", "the first piece of a message", func(w *record) bool { return !w.Fin && w.Opcode == "text" })
	awaitPart(r, mark, "websocket", "the last piece of a message", func(w *record) bool { return w.Fin && w.Opcode == "continuation" })

	mark = r.soc.Mark()
	if out := chat(hello, list); !strings.Contains(out, "closed 1008") {
		r.Errorf("a chat about cards:\n%s", out)
	}
	// Which of two rules comes first depends on how many cards the segment has that
	// brings the first ones, and fewer than five are no list.
	e := r.await(mark, "an event of lost data", func(e *stage.Event) bool { return e.DLP != nil })
	if d := e.DLP; d.Rule != "block-cards" && d.Rule != "block-restricted" || d.Action != "block" || !d.Enforced || d.Channel != "websocket" || d.Object.Name != "/room/7" {
		r.Errorf("%s", e.Raw)
	}
	if heard := said(); count(heard, cards) >= 5 || strings.Count(heard, "at noon") < 2 || !strings.Contains(heard, "[60 bytes, continued]") {
		r.Errorf("the server heard:\n%s", heard)
	}
	r.nowhere(cards...)
}
