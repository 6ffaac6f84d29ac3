/** What the sections of a module have given so far, while it is being parsed. */
import type {
  DataSegment,
  ElementSegment,
  Export,
  FuncType,
  FunctionBody,
  Global,
  GlobalType,
  Import,
  Limits,
  Range,
} from './types.ts';

/** Everything collected while parsing; frozen into a {@link Module} at the end. */
export interface Draft {
  types: FuncType[];
  imports: Import[];
  functions: number[];
  tables: Limits[];
  memories: Limits[];
  globalTypes: GlobalType[];
  globals: Global[];
  exports: Export[];
  elements: ElementSegment[];
  dataCount: number | undefined;
  bodies: FunctionBody[];
  data: DataSegment[];
  importedFunctions: number;
  importedGlobals: number;
  importedTables: number;
  importedMemories: number;
  customSections: number;
  sections: Map<number, Range>;
}

export function emptyDraft(): Draft {
  return {
    types: [],
    imports: [],
    functions: [],
    tables: [],
    memories: [],
    globalTypes: [],
    globals: [],
    exports: [],
    elements: [],
    dataCount: undefined,
    bodies: [],
    data: [],
    importedFunctions: 0,
    importedGlobals: 0,
    importedTables: 0,
    importedMemories: 0,
    customSections: 0,
    sections: new Map(),
  };
}
