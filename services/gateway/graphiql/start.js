// Starts GraphiQL with a query to begin with and a place to paste the key.
// What stands behind # in the address never leaves the browser: #key=trl_live_…&query=…&run=1
(function () {
  "use strict";

  var handed = new URLSearchParams(window.location.hash.slice(1));
  var asked = new URLSearchParams(window.location.search);
  var key = handed.get("key");
  if (key) {
    // The key leaves the address bar, the history and the screen that is shared next.
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
  }

  var welcome = [
    "# Welcome to Trellis.",
    "# Paste your API key under Headers, then press play.",
    "# An id is a node id, or sourcedId:… of your own system.",
    "",
    "query WhereToBegin {",
    "  administrations(first: 5) {",
    "    nodes { id sourcedId title purpose opensAt closesAt }",
    "  }",
    "}",
    "",
  ].join("\n");

  // Of the demonstration district; in another one the id is the school's own sourcedId.
  var schoolPage = [
    "# A school page: figures of the latest snapshot, small groups withheld, and what the school declares.",
    "query SchoolPage {",
    '  school(id: "sourcedId:SCH-0003") {',
    "    name",
    "    sector",
    "    parent { name }",
    "    areas { competency { code statement } snapshotAt learners strength need suppressed }",
    "    willingness { area role eagerness capacity diagnosticsAllowed }",
    "  }",
    "}",
    "",
  ].join("\n");

  var proposals = [
    "# The programmes, whom they would bring together and why, and who is left.",
    "query Proposals {",
    "  programmes(first: 3) {",
    "    nodes {",
    "      sourcedId",
    "      title",
    "      proposals(first: 50) {",
    "        nodes { id area hostName guestName reason hostBasis guestBasis distanceKm state hostAnswer guestAnswer }",
    "      }",
    "      matching {",
    "        state",
    "        explanation",
    "        snapshotAt",
    "        unmatched(first: 50) { nodes { school { name } area role reason } }",
    "      }",
    "    }",
    "  }",
    "}",
    "",
  ].join("\n");

  function headersWith(name) {
    return JSON.stringify({ Authorization: "Bearer " + name }, null, 2);
  }

  var ask = GraphiQL.createFetcher({ url: window.location.pathname });
  var schemaIsMissing = false;

  // Before a key is pasted the schema cannot be read; that is no error to shout about. It is read with the first
  // question that has a key.
  function fetcher(params, options) {
    var headers = (options && options.headers) || {};
    var bearer = String(headers.Authorization || headers.authorization || "");
    var hasKey = /trl_live_[A-Za-z0-9]+_[A-Za-z0-9]+/.test(bearer);
    if (params.operationName === "IntrospectionQuery") {
      schemaIsMissing = !hasKey;
      if (!hasKey) {
        return Promise.resolve({ welcome: "Paste your API key under Headers, then press play." });
      }
    } else if (schemaIsMissing && hasKey) {
      schemaIsMissing = false;
      window.setTimeout(readSchema, 500);
    }
    return ask(params, options);
  }

  function readSchema() {
    var button = document.querySelector('button[aria-label="Re-fetch GraphQL schema"]');
    if (button) {
      button.click();
    }
  }

  var query = handed.get("query") || asked.get("query");
  var bearer = headersWith(key || "trl_live_…");
  // The tabs of a first visit; later ones find those that were left.
  var tabs = [query || welcome, schoolPage, proposals].map(function (text) {
    return { query: text, headers: bearer };
  });
  tabs[0].variables = asked.get("variables") || undefined;
  ReactDOM.createRoot(document.getElementById("graphiql")).render(
    React.createElement(GraphiQL, {
      fetcher: fetcher,
      defaultQuery: welcome,
      defaultTabs: tabs,
      query: query || undefined,
      variables: asked.get("variables") || undefined,
      headers: key ? headersWith(key) : undefined,
      defaultHeaders: headersWith("trl_live_…"),
      defaultEditorToolsVisibility: "headers",
      shouldPersistHeaders: false,
      isHeadersEditorEnabled: true,
    })
  );

  if (handed.get("run")) {
    var waiting = window.setInterval(function () {
      var button = document.querySelector(".graphiql-execute-button");
      if (button) {
        window.clearInterval(waiting);
        button.click();
      }
    }, 100);
  }
})();
