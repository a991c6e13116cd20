/// How a page looks.
enum PageStyle {
    static let css: StaticString = """
        :root{color-scheme:light dark;--ink:#1f2328;--quiet:#5b636d;--ground:#ffffff;--line:#d8dde3;--link:#0a58ca;--soft:#f4f6f8}
        *{box-sizing:border-box}
        html{scroll-behavior:smooth}
        body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
        header,main,footer{max-width:968px;margin:0 auto;padding:0 24px}
        header{padding-top:36px}
        h1{font-size:28px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
        h2{font-size:20px;line-height:1.3;margin:0 0 4px}
        p{margin:0 0 12px;max-width:75ch}
        .quiet,.caption{color:var(--quiet)}
        .caption{font-size:14px;max-width:96ch}
        nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:12px 0 0;padding:0 0 16px;border-bottom:1px solid var(--line)}
        a{color:var(--link)}
        a:focus-visible,summary:focus-visible,button:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:2px}
        .skip{position:absolute;left:-9999px}
        .skip:focus{left:16px;top:8px;background:var(--ground);padding:4px 8px;z-index:1}
        section{padding:32px 0 8px}
        .sheet{overflow-x:auto}
        .sheet svg{display:block}
        .part{content-visibility:auto;contain-intrinsic-size:auto 2600px}
        .sheet:not(.long) .part{content-visibility:visible}
        .sheet.long{max-height:70vh;overflow:auto;border:1px solid var(--line);border-radius:6px;padding:8px 12px}
        .narrow{display:none}
        .missing{background:var(--soft);border-radius:6px;padding:12px 16px;max-width:none}
        code{font:13px ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
        details{margin:12px 0}
        summary{cursor:pointer;color:var(--link);font-size:14px;width:fit-content}
        .scroll{overflow:auto;max-height:60vh;border:1px solid var(--line);border-radius:6px;margin:8px 0}
        table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
        th,td{padding:4px 12px;text-align:left;white-space:nowrap;max-width:34ch;overflow:hidden;text-overflow:ellipsis;border-bottom:1px solid var(--line)}
        th{position:sticky;top:0;background:var(--soft);font-weight:600}
        th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer}
        .number{text-align:right}
        .hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
        dl{display:grid;grid-template-columns:fit-content(40%) minmax(0,1fr);gap:4px 16px;margin:0 0 16px}
        dt{color:var(--quiet);overflow-wrap:anywhere}
        dd{margin:0;overflow-wrap:anywhere}
        label{display:block;color:var(--quiet);font-size:14px}
        input,textarea,select,p>button{font:inherit;color:var(--ink);background:var(--ground);border:1px solid var(--quiet);border-radius:6px;padding:6px 10px;max-width:100%}
        input:not([type]),textarea{display:block;width:min(100%,420px)}
        td select{padding:2px 6px;font-size:13px}
        p>button{background:var(--link);border-color:var(--link);color:var(--ground);cursor:pointer}
        main>h1{margin:20px 0 12px}
        .sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:24px}
        .side{min-width:0}
        .side td{white-space:normal;max-width:none}
        .answer{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--soft);border-radius:6px;padding:12px 16px}
        footer{padding-top:24px;padding-bottom:36px;font-size:14px}
        @media (max-width:700px){
        header,main,footer{padding-left:20px;padding-right:20px}
        .wide{display:none}
        .narrow{display:block}
        h1{font-size:24px}
        .stacks,.stacks tbody,.stacks tr,.stacks td{display:block}
        .stacks thead{display:none}
        .stacks tr{padding:6px 0;border-bottom:1px solid var(--line)}
        .stacks td{border:0;padding:2px 12px;max-width:none;white-space:normal;overflow-wrap:anywhere;text-align:left}
        .stacks td::before{content:attr(data-column) ": ";color:var(--quiet)}
        }
        @media screen and (prefers-color-scheme:dark){
        :root{--ink:#e6e9ed;--quiet:#9aa4af;--ground:#11151a;--line:#2b333c;--link:#7db2ff;--soft:#1a2027}
        }
        @media print{
        :root{color-scheme:light}
        body{font-size:11pt}
        header,main,footer{max-width:none;padding:0}
        nav,details,.skip{display:none}
        section{break-inside:avoid;padding:18pt 0 0}
        .sheet svg{max-width:100%;height:auto}
        .sheet.long{max-height:none;border:0;padding:0;overflow:visible}
        .long .part:nth-child(n+3){display:none}
        }

        """
}
