program count;
uses cmem, classes, sysutils;
var
  words: TStringList;
  i: integer;
begin
  words := TStringList.Create;
  words.Sorted := true;
  words.Duplicates := dupIgnore;
  for i := 0 to 2999 do words.Add('word' + IntToStr(i * 7 mod 300));
  writeln(words.Count, ' words');
  words.Free;
end.
