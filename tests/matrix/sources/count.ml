module Words = Map.Make (String)

let add counts i =
  let word = Printf.sprintf "word%d" (i * 7 mod 300) in
  Words.update word (function None -> Some 1 | Some n -> Some (n + 1)) counts

let () =
  let counts = List.fold_left add Words.empty (List.init 30000 Fun.id) in
  let big = Array.init 200 (fun i -> Bytes.make (i * 1000) 'x') in
  Printf.printf "%d words, %d bytes\n" (Words.cardinal counts) (Array.fold_left (fun n b -> n + Bytes.length b) 0 big)
